/**
 * What the primary knows in memory of the store: everything but the entries. It is loaded from the
 * index when that is opened and changed only by transactions that are committed.
 */
import type { Index } from './index/index-files.ts';
import {
  decodeNumber,
  encodeNumber,
  metaKey,
  PURGE_RANGE,
  SEGMENT_RANGE,
  segmentIdOfKey,
  versionOfPurgeKey,
} from './index/index-keys.ts';
import { decodePurge, Purges } from './purges.ts';
import { decodeSegmentStats, SegmentState, type SegmentStats } from './segment-stats.ts';

/** So many versions are reserved at once, on disk, so that none is ever used twice. */
export const VERSIONS_PER_EPOCH = 2 ** 32;

export interface StoreState {
  /** The next version to be given. */
  nextVersion: number;
  /** Entries that are not cleared, those included that are expired or purged by prefix. */
  count: number;
  nextSegment: number;
  /** Entries that were evicted over the whole life of the store. */
  evicted: number;
  /** Sum of `fileBytes` over all segments. */
  segmentBytes: number;
  /** Segments that have a writer. */
  readonly openSegments: Set<number>;
  readonly segments: Map<number, SegmentStats>;
  readonly purges: Purges;
}

/**
 * Loads the state and takes an epoch of versions by a synced write. Throws when the index holds
 * something that cannot be read.
 */
export async function loadState(index: Index): Promise<StoreState> {
  const [versions, count, clear, nextSegment, evicted] = await index.getMany([
    metaKey('versions'),
    metaKey('count'),
    metaKey('clear'),
    metaKey('next-segment'),
    metaKey('evicted'),
  ]);
  const epoch = decodeNumber(versions, VERSIONS_PER_EPOCH);
  await index.put(metaKey('versions'), encodeNumber(epoch + VERSIONS_PER_EPOCH), { sync: true });
  const purges = new Purges();
  purges.restoreClear(decodeNumber(clear, 0));
  for await (const [key, value] of index.iterator(PURGE_RANGE)) {
    purges.add(decodePurge(versionOfPurgeKey(key), value));
  }
  const segments = new Map<number, SegmentStats>();
  const openSegments = new Set<number>();
  let segmentBytes = 0;
  for await (const [key, value] of index.iterator(SEGMENT_RANGE)) {
    const id = segmentIdOfKey(key);
    const stats = decodeSegmentStats(id, value);
    segments.set(id, stats);
    segmentBytes += stats.fileBytes;
    if (stats.state === SegmentState.open) openSegments.add(id);
  }
  return {
    nextVersion: epoch + 1,
    count: decodeNumber(count, 0),
    nextSegment: decodeNumber(nextSegment, 1),
    evicted: decodeNumber(evicted, 0),
    segmentBytes,
    openSegments,
    segments,
    purges,
  };
}

/** Whether all versions of the epoch before `nextVersion` are given; an epoch has 2^32 of them. */
export function epochIsSpent(nextVersion: number): boolean {
  return nextVersion % VERSIONS_PER_EPOCH === 0;
}

/** The epoch that follows the one of `version`: what stands under `versions` while it is given. */
export function epochAfter(version: number): number {
  return Math.ceil(version / VERSIONS_PER_EPOCH) * VERSIONS_PER_EPOCH;
}
