/**
 * `bigcache import`: takes over the database of the Python original, tells how far it is, and reports
 * what was left out and why.
 */
import { pino } from 'pino';
import type { Config } from '../../../protocol/config.ts';
import { BigCacheError } from '../../../protocol/errors.ts';
import { BodyEncoder } from '../../../segments/compression/body-encoder.ts';
import { openDirectory } from '../../directory/directory.ts';
import { CannotRunError, INTERRUPTED } from '../../exit.ts';
import { watchInterruption } from '../interruption.ts';
import { Progress, type ProgressOutput, STDERR } from '../progress.ts';
import type { ImportCounts } from './checkpoint.ts';
import { type ImportResult, importOriginal } from './import-run.ts';
import { SKIP_REASONS, type SkipReason } from './original-entry.ts';

/** Runs the import; resolves with the exit code. Throws a CannotRunError when it cannot be done. */
export async function runImport(
  from: string,
  config: Config,
  out: (text: string) => void,
  terminal: ProgressOutput = STDERR,
): Promise<number> {
  const directory = await openDirectory(config.dbPath);
  const progress = new Progress(terminal);
  const interruption = watchInterruption();
  try {
    const result = await importOriginal({
      from,
      directory,
      settings: config,
      bodyBytesMax: config.bodyBytesMax,
      ...(config.compression ? { encoder: new BodyEncoder() } : {}),
      log: pino({ level: config.logLevel === 'info' ? 'warn' : config.logLevel }, process.stderr),
      now: Date.now,
      onProgress: (share, counts) => progress.show(share, entriesOf(counts)),
      shouldStop: () => interruption.requested,
    });
    progress.end();
    out(report(result, directory.path));
    return result.isComplete ? 0 : INTERRUPTED;
  } catch (error) {
    progress.end();
    if (!(error instanceof BigCacheError)) throw error;
    const advice = 'run the same command again to go on where it stopped';
    throw new CannotRunError(`the import stopped: ${error.message} ${advice}`, { cause: error });
  } finally {
    interruption.end();
    await directory.release();
  }
}

const entriesOf = (counts: ImportCounts): number => counts.json + counts.raw;

/** The report, ending with a line break. */
export function report(result: ImportResult, path: string): string {
  const { counts, isComplete, wasResumed, ignored } = result;
  const lines = [
    `${entriesOf(counts)} entries imported into ${path}: ` +
      `${counts.json} JSON, ${counts.raw} raw${wasResumed ? ' (an earlier import included)' : ''}`,
  ];
  for (const reason of Object.keys(SKIP_REASONS) as SkipReason[]) {
    const skipped = counts.skipped[reason];
    if (skipped > 0) lines.push(`${skipped} skipped: ${SKIP_REASONS[reason]}`);
  }
  if (ignored !== undefined) {
    lines.push(`an earlier import was not gone on with: ${ignored}; this one began anew`);
  }
  if (!isComplete) lines.push('interrupted; run the same command again to go on');
  return `${lines.join('\n')}\n`;
}
