/**
 * The backup of a store whose server is stopped, by the command itself. It opens a look into the index
 * and nothing else of the store: what works on an open store would evict entries and take an epoch of
 * versions. So the store is afterwards what it was before.
 */
import type { Logger } from 'pino';
import { DamagedStoreError } from '../../directory/damaged-store.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { CannotRunError } from '../../exit.ts';
import { JobPool } from '../../jobs/job-pool.ts';
import { type IndexCopy, openIndexCopy, UnreadableIndexError } from '../index/index-copy.ts';
import type { Index } from '../index/index-files.ts';
import { DamagedValueError, decodeNumber, metaKey } from '../index/index-keys.ts';
import { readStoredState } from '../index/stored-state.ts';
import { SegmentState } from '../segment-stats.ts';
import { Pins } from '../space/pins.ts';
import { type BackupRequest, type BackupResult, type BackupSource, Backups } from './backups.ts';

export interface StoppedStoreBackup {
  readonly directory: StoreDirectory;
  readonly request: BackupRequest;
  readonly log: Logger;
}

/**
 * Makes the backup. Throws a CannotRunError when the index is damaged or has lost changes, and when
 * the backup cannot be made or is cancelled. REQUIRES: the directory is ours, and its index closed.
 */
export async function backUpStoppedStore(options: StoppedStoreBackup): Promise<BackupResult> {
  const { directory, request, log } = options;
  const copy = await lookInto(directory, request.signal);
  const jobs = new JobPool();
  try {
    const { damagedTables } = copy.inspection;
    if (damagedTables.length > 0) log.error({ tables: damagedTables }, DAMAGED_RECORDS);
    const store = await sourceOf(directory, copy.index);
    const places = { ...directory, indexPath: copy.path };
    return await new Backups({ store, jobs, pins: new Pins(), directory: places, log }).run(
      request,
    );
  } finally {
    await jobs.close();
    await copy.close();
  }
}

const DAMAGED_RECORDS =
  'tables of the index hold damaged records; their entries are misses, in the backup too';

async function lookInto(directory: StoreDirectory, signal?: AbortSignal): Promise<IndexCopy> {
  const copy = await openIndexCopy(directory, {
    isShared: true,
    beforeTable: () => signal?.throwIfAborted(),
  }).catch((error: unknown) => {
    if (!(error instanceof UnreadableIndexError)) throw error;
    throw damaged(directory, error);
  });
  const { drops, bytes, logs } = copy.dropped;
  const causes = [...copy.inspection.lostInLogs];
  if (drops > 0) causes.push(`${bytes} bytes of ${logs.join(', ') || 'a log'} cannot be read`);
  const [lost] = causes;
  if (lost === undefined && copy.hasSentinel) return copy;
  await copy.close();
  if (lost === undefined) throw damaged(directory, 'what it opens with is not what was stored');
  throw new CannotRunError(
    `part of the log of the index ${directory.indexPath} is damaged (${lost}); start the server on ` +
      'it once, which keeps the damaged log and goes on with the rest, then make the backup',
  );
}

/** The store as its index says that it is. Nothing changes, so every moment is between two batches. */
async function sourceOf(directory: StoreDirectory, index: Index): Promise<BackupSource> {
  const { count, nextSegment, segments } = await readStoredState(index).catch((error: unknown) => {
    if (!(error instanceof DamagedValueError)) throw error;
    throw damaged(directory, error);
  });
  const version = decodeNumber('versions', await index.get(metaKey('versions')), 0);
  return {
    count: Math.max(0, count),
    unused: { version, segment: nextSegment },
    // Nobody writes what a killed server has left open.
    segments: new Map(
      [...segments].map(([id, stats]) => {
        const isOpen = stats.state === SegmentState.open;
        return [id, isOpen ? { ...stats, state: SegmentState.sealed } : stats];
      }),
    ),
    betweenBatches: (work) => work(),
  };
}

function damaged(directory: StoreDirectory, why: string | Error): DamagedStoreError {
  const text = why instanceof Error ? why.message : why;
  const cause = why instanceof Error ? { cause: why } : undefined;
  return new DamagedStoreError(`the index ${directory.indexPath} is damaged (${text})`, cause);
}
