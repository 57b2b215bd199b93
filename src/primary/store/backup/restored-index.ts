/**
 * The index of a restored store, before it takes its place: a copy of the backup's, looked over whole.
 * A server starts on an index whose log is damaged and says what is lost; a restore does not put such
 * an index in the place of a store.
 */
import { ClassicLevel } from 'classic-level';
import { CannotRunError } from '../../exit.ts';
import type { Unused } from '../entry-store.ts';
import {
  causeText,
  INDEX_OPTIONS,
  type Index,
  isCorruption,
  SENTINEL,
} from '../index/index-files.ts';
import { DamagedFilesError, inspectIndex } from '../index/index-inspection.ts';
import {
  DamagedValueError,
  decodeNumber,
  encodeNumber,
  metaKey,
  SEGMENT_RANGE,
  segmentIdOfKey,
} from '../index/index-keys.ts';
import { breakSeal } from '../index/index-seal.ts';
import { readDrops } from '../index/recovery-log.ts';
import { readStoredState } from '../index/stored-state.ts';
import { decodeSegmentStats, type SegmentStats } from '../segment-stats.ts';
import { epochAfter } from '../state.ts';

/** What a restored index tells of the store. */
export interface RestoredIndex {
  readonly entries: number;
  readonly versions: number;
  readonly segments: readonly SegmentStats[];
}

/**
 * Opens a copy of a backup's index and reads what it knows. Throws a CannotRunError when anything of
 * it is damaged or lost, and the reason of `signal` once that is aborted.
 */
export async function checkIndex(path: string, signal: AbortSignal): Promise<RestoredIndex> {
  await inspectWhole(path, signal);
  await breakSeal(path);
  return await withIndex(path, async (index) => {
    const { drops, bytes, logs } = await readDrops(path);
    if (drops > 0) throw unusable(`${bytes} bytes of ${logs.join(', ') || 'a log'} are damaged`);
    return await read(index);
  });
}

/**
 * Sees to it that the index gives no number again that the store in its place has given. REQUIRES: it
 * was checked.
 */
export async function raiseNumbers(path: string, unused: Unused): Promise<void> {
  await withIndex(path, async (index) => {
    const versions = decodeNumber('versions', await index.get(metaKey('versions')), 0);
    const segment = decodeNumber('next-segment', await index.get(metaKey('next-segment')), 1);
    const raised = [
      ['versions', Math.max(epochAfter(unused.version), versions)],
      ['next-segment', Math.max(unused.segment, segment)],
    ] as const;
    const puts = raised.map(([name, value]) => {
      return { type: 'put', key: metaKey(name), value: encodeNumber(name, value) } as const;
    });
    await index.batch(puts, { sync: true });
  });
}

/** LevelDB takes some damage for an older index, so the files are looked at before it opens them. */
async function inspectWhole(path: string, signal: AbortSignal): Promise<void> {
  try {
    const { lostInLogs, damagedTables } = await inspectIndex(path, {
      depth: 'everything',
      beforeTable: () => signal.throwIfAborted(),
    });
    const [lost] = lostInLogs;
    if (lost !== undefined) throw unusable(lost);
    if (damagedTables.length > 0) throw unusable(`damaged records in ${damagedTables.join(', ')}`);
  } catch (error) {
    if (!(error instanceof DamagedFilesError)) throw error;
    throw unusable(error.message, error);
  }
}

async function withIndex<T>(path: string, work: (index: Index) => Promise<T>): Promise<T> {
  const index: Index = new ClassicLevel(path, { ...INDEX_OPTIONS, multithreading: false });
  try {
    await index.open();
    return await work(index);
  } catch (error) {
    const isDamage = isCorruption(error) || error instanceof DamagedValueError;
    throw isDamage ? unusable(causeText(error), error) : error;
  } finally {
    await index.close();
  }
}

async function read(index: Index): Promise<RestoredIndex> {
  if ((await index.get(SENTINEL)) === undefined) {
    throw unusable('what it opens with is not what was stored');
  }
  // Throws where a start would refuse the index.
  await readStoredState(index);
  const [count, versions] = await index.getMany([metaKey('count'), metaKey('versions')]);
  const segments: SegmentStats[] = [];
  for await (const [key, value] of index.iterator(SEGMENT_RANGE)) {
    segments.push(decodeSegmentStats(segmentIdOfKey(key), value));
  }
  return {
    entries: decodeNumber('count', count, 0),
    versions: decodeNumber('versions', versions, 0),
    segments,
  };
}

function unusable(why: string, cause?: unknown): CannotRunError {
  return new CannotRunError(
    `the index of the backup cannot be used: ${why}; nothing was changed`,
    cause === undefined ? undefined : { cause },
  );
}
