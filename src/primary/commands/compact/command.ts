/**
 * `bigcache compact`: opens the directory, tells how far it is, reports, and maps the outcome to an
 * exit code.
 */
import { openStoppedStore } from '../../directory/stopped-store.ts';
import { INTERRUPTED } from '../command-spec.ts';
import { whileStopped } from '../failures.ts';
import { watchInterruption } from '../interruption.ts';
import { Progress, type ProgressOutput, STDERR } from '../progress.ts';
import { showBytes } from '../sizes.ts';
import { type CompactResult, compactStore } from './compact-run.ts';

/** Compacts the store in `dbPath`; resolves with the exit code. */
export async function runCompact(
  dbPath: string,
  out: (text: string) => void,
  terminal: ProgressOutput = STDERR,
): Promise<number> {
  const advice = 'stop that server first';
  return await whileStopped(
    () => openStoppedStore(dbPath),
    advice,
    async (directory) => {
      const interruption = watchInterruption();
      const progress = new Progress(terminal, { unit: 'bytes' });
      try {
        const result = await compactStore({
          directory,
          onProgress: (share, bytes) => progress.show(share, bytes),
          shouldStop: () => interruption.requested,
        });
        progress.end();
        out(report(result));
        return result.isComplete ? 0 : INTERRUPTED;
      } finally {
        progress.end();
        interruption.end();
      }
    },
  );
}

/** The report, ending with a line break. */
export function report({ path, isComplete, bytesBefore, bytesAfter }: CompactResult): string {
  const size = `the index of ${path} had ${showBytes(bytesBefore)}, has ${showBytes(bytesAfter)}`;
  return isComplete ? `${size}\n` : `${size}\ninterrupted; run the same command again to go on\n`;
}
