/** On what a run was measured. */
import { cpus, loadavg } from 'node:os';
import { diskUnder } from './filesystem.ts';

export interface Machine {
  readonly node: string;
  readonly processors: string;
  readonly filesystem: string;
  /** When the run began. */
  readonly loadAverage: number;
}

/** Throws where `directory` is not on a disk. */
export function describeMachine(directory: string): Machine {
  return {
    node: process.version,
    processors: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    filesystem: diskUnder(directory),
    loadAverage: loadavg()[0] ?? 0,
  };
}
