/**
 * `bigcache backup`: has the running server make a backup, or makes it of a stopped store, and tells
 * how far it is.
 */
import { resolve } from 'node:path';
import { pino } from 'pino';
import type { Config } from '../../../protocol/config.ts';
import { openStoppedStore } from '../../directory/stopped-store.ts';
import type { BackupRequest, BackupResult } from '../../store/backup/backups.ts';
import { backUpStoppedStore } from '../../store/backup/stopped-store-backup.ts';
import { watchInterruption } from '../interruption.ts';
import { placedText } from '../placed-text.ts';
import { Progress, type ProgressOutput, STDERR } from '../progress.ts';
import { runningServer } from '../running-server.ts';
import { showBytes } from '../sizes.ts';

/** Runs the backup; resolves with the exit code. Throws a CannotRunError when it cannot be made. */
export async function runBackup(
  to: string,
  bytesPerSecond: number,
  config: Config,
  out: (text: string) => void,
  terminal: ProgressOutput = STDERR,
): Promise<number> {
  const progress = new Progress(terminal);
  const interruption = watchInterruption('the backup was interrupted; nothing is left of it');
  const request = {
    to: resolve(to),
    bytesPerSecond,
    signal: interruption.signal,
    onProgress: (share: number, entries: number) => progress.show(share, entries),
  };
  try {
    const result = await backUp(config, request);
    progress.end();
    out(report(result));
    return 0;
  } catch (error) {
    progress.end();
    throw interruption.signal.aborted ? interruption.signal.reason : error;
  } finally {
    interruption.end();
  }
}

type OwnRequest = Required<BackupRequest>;

async function backUp(config: Config, request: OwnRequest): Promise<BackupResult> {
  const server = await runningServer(config.dbPath, request.signal);
  if (server === undefined) return await backUpOffline(config, request);
  const { to, bytesPerSecond, signal, onProgress } = request;
  return await server.ask(
    { op: 'backup', to, bytesPerSecond },
    { signal, onProgress: ({ share, entries }) => onProgress(share, entries) },
  );
}

async function backUpOffline(config: Config, request: OwnRequest): Promise<BackupResult> {
  const directory = await openStoppedStore(config.dbPath);
  const level = config.logLevel === 'info' ? 'error' : config.logLevel;
  try {
    return await backUpStoppedStore({ directory, request, log: pino({ level }, process.stderr) });
  } finally {
    await directory.release();
  }
}

/** The report, ending with a line break. */
export function report(result: BackupResult): string {
  const { path, entries, indexBytes, missing, heldMs, elapsedMs } = result;
  const lines = [
    `${entries} entries backed up into ${path} in ${(elapsedMs / 1000).toFixed(1)} s`,
    `index of ${showBytes(indexBytes)}; segments: ${placedText(result)}`,
    `writes waited ${heldMs.toFixed(1)} ms`,
  ];
  if (missing.length > 0) {
    lines.push(`the store has lost the files of these segments already: ${missing.join(', ')}`);
  }
  return `${lines.join('\n')}\n`;
}
