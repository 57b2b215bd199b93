/**
 * By how much counters are off after damage, in the primary: what a recount of the index found at one
 * point in the order of all changes, less what the counters said at that same point.
 */
import { SegmentState, type SegmentStats } from './segment-stats.ts';
import type { StoreState } from './state.ts';

/** What a scan counted in one segment. */
export interface SegmentCount {
  readonly records: number;
  readonly bytesLive: number;
  /** End of the body that lies last in the file. */
  readonly bytesWritten: number;
}

/** What a scan of all records counted. */
export interface EntryCounts {
  readonly count: number;
  readonly segments: ReadonlyMap<number, SegmentCount>;
}

/** Counters as they were at one point, for a scan from that same point. */
export interface NotedCounts {
  readonly clearVersion: number;
  readonly count: number;
  readonly segments: ReadonlyMap<number, Pick<SegmentStats, 'records' | 'bytesLive'>>;
}

/** What has to be added to the counters. */
export interface Recounted {
  /** The clear that the scan knew: a later one makes all of this void. */
  readonly clearVersion: number;
  readonly count: number;
  readonly segments: ReadonlyMap<number, SegmentCount>;
}

export function noteCounts({ purges, count, segments }: StoreState): NotedCounts {
  const noted = new Map<number, Pick<SegmentStats, 'records' | 'bytesLive'>>();
  for (const { id, records, bytesLive } of segments.values()) noted.set(id, { records, bytesLive });
  return { clearVersion: purges.clearVersion, count, segments: noted };
}

/** REQUIRES: `counted` was scanned from the point at which `noted` was taken. */
export function differenceOf(noted: NotedCounts, counted: EntryCounts): Recounted {
  const segments = new Map<number, SegmentCount>();
  for (const id of new Set([...noted.segments.keys(), ...counted.segments.keys()])) {
    const before = noted.segments.get(id);
    const found = counted.segments.get(id);
    segments.set(id, {
      records: (found?.records ?? 0) - (before?.records ?? 0),
      bytesLive: (found?.bytesLive ?? 0) - (before?.bytesLive ?? 0),
      bytesWritten: found?.bytesWritten ?? 0,
    });
  }
  return { clearVersion: noted.clearVersion, count: counted.count - noted.count, segments };
}

/** After damage more may be removed than was counted; until the recount even that counts. */
export function atLeastNothing(
  counted: number,
  { countsAreSure }: Pick<StoreState, 'countsAreSure'>,
): number {
  return countsAreSure ? Math.max(0, counted) : counted;
}

/** How many counters a recount corrects. */
export function correctionsIn({ count, segments }: Recounted): number {
  const wrong = [...segments.values()].filter((one) => one.records !== 0 || one.bytesLive !== 0);
  return wrong.length + (count === 0 ? 0 : 1);
}

/** Brings the accounting of one segment right, in place. */
export function correct(stats: SegmentStats, by: SegmentCount | undefined): void {
  stats.records = Math.max(0, stats.records + (by?.records ?? 0));
  stats.bytesLive = Math.max(0, stats.bytesLive + (by?.bytesLive ?? 0));
  stats.bytesWritten = Math.max(stats.bytesWritten, by?.bytesWritten ?? 0);
  // Records that came back when changes were lost: what may be left of the file stays.
  if (stats.state === SegmentState.dropping && stats.records > 0) stats.state = SegmentState.sealed;
}
