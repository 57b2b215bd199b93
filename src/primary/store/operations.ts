/**
 * The changes that the write lane knows, one function for each: what it touches, when it is refused,
 * what it does.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { pointerOf, versionOf } from '../../protocol/record.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import { PENDING_PURGES_MAX, type Purge } from './purges.ts';
import { SegmentState, type SegmentStats } from './segment-stats.ts';
import { mayWrite } from './transaction.ts';
import type { LaneOperation } from './write-lane.ts';

/** Commits a record whose body lies in a segment of `writer`. Refused with STORE_FAILED otherwise. */
export function commit(writer: number, key: string, record: Buffer): LaneOperation<Committed> {
  return {
    keys: [key],
    apply: (transaction) => {
      if (!mayWrite(transaction.segment(pointerOf(record).segment), writer)) {
        throw new BigCacheError('STORE_FAILED');
      }
      const before = transaction.record(key);
      const created = before === undefined || !transaction.isReadable(key, before);
      return { version: transaction.write(key, record), created };
    },
  };
}

/** Removes an entry; false when there was none that a reader would have found. */
export function remove(key: string): LaneOperation<boolean> {
  return {
    keys: [key],
    apply: (transaction) => {
      const record = transaction.record(key);
      if (record === undefined || !transaction.isReadable(key, record)) return false;
      transaction.remove(key);
      return true;
    },
  };
}

/** A record that a scan or a reader saw: it is removed only if it is still the same. */
export interface SeenRecord {
  readonly key: string;
  readonly version: number;
}

/** Removes exactly these records; answers how many were still there. */
export function removeSeen(seen: readonly SeenRecord[]): LaneOperation<number> {
  return {
    keys: seen.map(({ key }) => key),
    apply: (transaction) => {
      let removed = 0;
      for (const { key, version } of seen) {
        const record = transaction.record(key);
        if (record === undefined || versionOf(record) !== version) continue;
        transaction.remove(key);
        removed += 1;
      }
      return removed;
    },
  };
}

/** Purges by prefix, or of everything with the empty prefix. Refused with PURGES_PENDING. */
export function purge(prefix: string): LaneOperation<Purge> {
  return {
    keys: [],
    apply: (transaction) => {
      if (transaction.pendingPurges >= PENDING_PURGES_MAX) {
        throw new BigCacheError('PURGES_PENDING');
      }
      return transaction.purge(prefix);
    },
  };
}

/** Forgets purges that are worked off. */
export function finishPurges(versions: readonly number[]): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      for (const version of versions) transaction.finishPurge(version);
    },
  };
}

/** Saves where the hand goes on after a restart. */
export function saveHandPosition(position: Buffer): LaneOperation<void> {
  return { keys: [], apply: (transaction) => transaction.saveHandPosition(position) };
}

/** Grants `writer` a new segment; on disk before it is answered. */
export function grantSegment(writer: number): LaneOperation<number> {
  return { keys: [], apply: (transaction) => transaction.grantSegment(writer) };
}

/** Ends the writing of one segment of `writer`. Nothing happens when it is not its. */
export function sealSegment(writer: number, id: number): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      const stats = transaction.segment(id);
      if (stats !== undefined && mayWrite(stats, writer)) seal(stats);
    },
  };
}

/** Ends the writing of all these segments, whoever their writer was. */
export function sealSegments(ids: readonly number[]): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      for (const id of ids) {
        const stats = transaction.segment(id);
        if (stats?.state === SegmentState.open) seal(stats);
      }
    },
  };
}

/** Ends the writing of all segments of `writer`, those included that were granted just before. */
export function sealSegmentsOf(writer: number): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      for (const stats of transaction.segmentsOf(writer)) seal(stats);
    },
  };
}

/**
 * Marks a dead segment before its file is removed, on disk; false when a record points to it after
 * all. A start finishes the removal of what is marked.
 */
export function markDropping(id: number): LaneOperation<boolean> {
  return {
    keys: [],
    apply: (transaction) => {
      const stats = transaction.segment(id);
      if (stats?.state !== SegmentState.sealed || stats.records > 0) return false;
      stats.state = SegmentState.dropping;
      transaction.requireSync();
      return true;
    },
  };
}

/** Forgets a segment whose file is gone. */
export function forgetSegment(id: number): LaneOperation<void> {
  return { keys: [], apply: (transaction) => transaction.forgetSegment(id) };
}

function seal(stats: SegmentStats): void {
  stats.state = SegmentState.sealed;
  stats.writer = 0;
}
