/**
 * What the primary knows in memory of the store: everything but the entries. It is loaded from the
 * index when that is opened and changed only by transactions that are committed.
 */
import type { Index } from './index/index-files.ts';
import { encodeNumber, metaKey } from './index/index-keys.ts';
import { readStoredState, VERSIONS_PER_EPOCH } from './index/stored-state.ts';
import { LeaseTable } from './leases/lease-table.ts';
import { GoneEntries } from './purges/gone-entries.ts';
import { PurgeReports } from './purges/purge-reports.ts';
import { Purges } from './purges/purges.ts';
import { SegmentState, type SegmentStats } from './segment-stats.ts';

export { VERSIONS_PER_EPOCH };

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
  readonly leases: LeaseTable;
  readonly reports: PurgeReports;
  /** Why entries of this run are gone. */
  readonly gone: GoneEntries;
  /**
   * False from damage until a recount has ended: `count` and the records and live bytes of segments
   * may be wrong. They change with what happens all the same, and may be less than nothing, so that
   * the recount has only to add what they are off by.
   */
  countsAreSure: boolean;
  /** Where the hand goes on, as it saved it; see space/hand-position.ts. */
  handPosition: Buffer | undefined;
}

/**
 * Loads the state and takes an epoch of versions by a synced write. `lostChanges` says that part of
 * LevelDB's log was lost: then the counters are not sure, and the index says so until a recount has
 * ended. Throws when the index holds something that cannot be read.
 */
export async function loadState(
  index: Index,
  lostChanges = false,
  now: () => number = Date.now,
  gone = new GoneEntries(Date.now()),
): Promise<StoreState> {
  const stored = await readStoredState(index);
  const countsAreSure = stored.countsAreSure && !lostChanges;
  // What was lost may have begun an epoch, so that one is left out.
  const epoch = stored.versions + (lostChanges ? VERSIONS_PER_EPOCH : 0);
  const reserved = encodeNumber('versions', epoch + VERSIONS_PER_EPOCH);
  const changes = [{ type: 'put' as const, key: metaKey('versions'), value: reserved }];
  if (!countsAreSure) {
    changes.push({ type: 'put', key: metaKey('recount'), value: encodeNumber('recount', 1) });
  }
  await index.batch(changes, { sync: true });
  const purges = new Purges();
  purges.restoreClear(stored.clear);
  for (const purge of stored.purges) purges.add(purge);
  const reports = new PurgeReports();
  for (const report of stored.reports) reports.add(report);
  const all = [...stored.segments.values()];
  return {
    nextVersion: epoch + 1,
    count: stored.count,
    nextSegment: stored.nextSegment,
    evicted: stored.evicted,
    segmentBytes: all.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    openSegments: new Set(
      all.filter(({ state }) => state === SegmentState.open).map(({ id }) => id),
    ),
    segments: new Map(stored.segments),
    purges,
    leases: new LeaseTable(purges, epoch, now),
    reports,
    gone,
    countsAreSure,
    // What was removed before it may be back.
    handPosition: lostChanges ? undefined : stored.handPosition,
  };
}

/**
 * Has the next start go on as one that has found part of LevelDB's log lost: for whoever opens such an
 * index before a server does, since the open itself leaves no trace of it.
 */
export async function noteLostChanges(index: Index): Promise<void> {
  await index.del(metaKey('hand'), { sync: true });
  await loadState(index, true);
}

/** Whether all versions of the epoch before `nextVersion` are given; an epoch has 2^32 of them. */
export function epochIsSpent(nextVersion: number): boolean {
  return nextVersion % VERSIONS_PER_EPOCH === 0;
}

/** The epoch that follows the one of `version`: what stands under `versions` while it is given. */
export function epochAfter(version: number): number {
  return Math.ceil(version / VERSIONS_PER_EPOCH) * VERSIONS_PER_EPOCH;
}
