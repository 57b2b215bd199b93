/**
 * `bigcache restore`: brings a backup back, under the running server or into the directory of a stopped
 * one, and tells how far it is.
 */
import { resolve } from 'node:path';
import type { Config } from '../../../protocol/config.ts';
import { CannotRunError, InterruptedError } from '../../exit.ts';
import {
  type RestoreRequest,
  type RestoreResult,
  restoreOffline,
} from '../../store/backup/restore.ts';
import { watchInterruption } from '../interruption.ts';
import { placedText } from '../placed-text.ts';
import { Progress, type ProgressOutput, STDERR } from '../progress.ts';
import { runningServer } from '../running-server.ts';

export interface RestoreOptions {
  readonly from: string;
  readonly bytesPerSecond: number;
  /** Whether a store that is there may be moved to quarantine. */
  readonly replace: boolean;
}

/** Runs the restore; resolves with the exit code. Throws a CannotRunError when it cannot be done. */
export async function runRestore(
  { from, bytesPerSecond, replace }: RestoreOptions,
  config: Config,
  out: (text: string) => void,
  terminal: ProgressOutput = STDERR,
): Promise<number> {
  const progress = new Progress(terminal);
  const interruption = watchInterruption('the restore was interrupted; nothing was changed');
  const request = {
    from: resolve(from),
    bytesPerSecond,
    signal: interruption.signal,
    onProgress: (share: number, entries: number) => progress.show(share, entries),
  };
  try {
    const result = await restore(config, request, replace);
    progress.end();
    out(report(result));
    return 0;
  } catch (error) {
    progress.end();
    throw error;
  } finally {
    interruption.end();
  }
}

async function restore(
  config: Config,
  request: Required<RestoreRequest>,
  replace: boolean,
): Promise<RestoreResult> {
  const server = await runningServer(config.dbPath, request.signal);
  if (server === undefined) return await restoreOffline(config.dbPath, request, replace);
  const { from, bytesPerSecond, signal, onProgress } = request;
  if (!replace) {
    server.close();
    throw new CannotRunError(
      `a server runs on ${config.dbPath}; with --replace its store is moved to quarantine/ and ` +
        'the backup takes its place',
    );
  }
  try {
    return await server.ask(
      { op: 'restore', from, bytesPerSecond },
      { signal, onProgress: ({ share, entries }) => onProgress(share, entries) },
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    // Once the server swaps the files it does not stop half way.
    const hint = 'the log of the server says whether the restore was done';
    throw new InterruptedError(`the command was interrupted; ${hint}`, { cause: error });
  }
}

/** The report, ending with a line break. */
export function report(result: RestoreResult): string {
  const { path, entries, replaced, closedMs, elapsedMs } = result;
  const lines = [
    `${entries} entries restored into ${path} in ${(elapsedMs / 1000).toFixed(1)} s`,
    `index and segments: ${placedText(result)}`,
  ];
  if (closedMs > 0) lines.push(`the store was closed for ${Math.round(closedMs)} ms`);
  if (replaced !== undefined) lines.push(`what was there before is in ${replaced}`);
  return `${lines.join('\n')}\n`;
}
