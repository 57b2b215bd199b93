/**
 * `bigcache compact`: opens the directory, tells how far it is, reports, and maps the outcome to an
 * exit code.
 */
import { openStoppedStore } from '../../directory/stopped-store.ts';
import { INTERRUPTED } from '../../exit.ts';
import { DAMAGED } from '../command-spec.ts';
import { whileStopped } from '../failures.ts';
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
    async (directory, interruption) => {
      const progress = new Progress(terminal, { unit: 'bytes' });
      try {
        const result = await compactStore({
          directory,
          onProgress: (share, bytes) => progress.show(share, bytes),
          shouldStop: () => interruption.requested,
        });
        progress.end();
        out(report(result));
        if (!result.isComplete) return INTERRUPTED;
        return isDamaged(result) ? DAMAGED : 0;
      } finally {
        progress.end();
      }
    },
  );
}

/** The report, ending with a line break. */
export function report({ path, isComplete, lost, damagedTables, ...sizes }: CompactResult): string {
  const { bytesBefore, bytesAfter } = sizes;
  const lines = [
    `the index of ${path} had ${showBytes(bytesBefore)}, has ${showBytes(bytesAfter)}`,
  ];
  if (lost !== undefined) {
    lines.push(
      `part of the log of the index was damaged (${lost.causes.join('; ')}): the latest changes may ` +
        `be lost; the damaged log is kept in ${lost.keptIn}, and the next start counts again`,
    );
  }
  if (damagedTables.length > 0) {
    lines.push(`there were damaged records in ${damagedTables.join(', ')}; they will be misses`);
  }
  if (!isComplete) lines.push('interrupted; run the same command again to go on');
  return `${lines.join('\n')}\n`;
}

function isDamaged({ lost, damagedTables }: CompactResult): boolean {
  return lost !== undefined || damagedTables.length > 0;
}
