/**
 * The changes of the write lane that are about segments and their accounting: granted, written, sealed,
 * emptied, dropped. operations.ts has those of entries.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { STREAM_GRANT_BYTES } from '../../segments/segment-log.ts';
import { mayWrite } from './segment-overlay.ts';
import { SegmentState, type SegmentStats } from './segment-stats.ts';
import type { LaneOperation } from './write-lane.ts';

/** Grants `writer` a new segment of at most `bytes`; on disk before it is answered. */
export function grantSegment(writer: number, bytes: number): LaneOperation<number> {
  return {
    keys: [],
    apply: (transaction) => {
      transaction.requireSync();
      return transaction.segments.grant(writer, bytes);
    },
  };
}

/** Lets an open segment of `writer` grow up to `bytes`. Refused with STORE_FAILED where it is not its. */
export function extendSegment(writer: number, id: number, bytes: number): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      const stats = transaction.segments.get(id);
      if (stats === undefined || !mayWrite(stats, writer)) throw new BigCacheError('STORE_FAILED');
      // A stream asks for its next step when all before is in the file.
      stats.bytesStreamed = Math.max(stats.bytesStreamed, bytes - STREAM_GRANT_BYTES);
      stats.fileBytes = Math.max(stats.fileBytes, bytes);
    },
  };
}

/** Ends the writing of all these segments, whoever their writer was. */
export function sealSegments(ids: readonly number[]): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      for (const id of ids) {
        const stats = transaction.segments.get(id);
        if (stats?.state === SegmentState.open) seal(stats, stats.fileBytes);
      }
    },
  };
}

/**
 * Ends the writing of one segment of `writer`, whose file has `fileBytes`. Nothing happens when it is
 * not its.
 */
export function sealSegment(writer: number, id: number, fileBytes: number): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      const stats = transaction.segments.get(id);
      if (stats !== undefined && mayWrite(stats, writer)) seal(stats, fileBytes);
    },
  };
}

/** Ends the writing of the segments whose size is told, whoever their writer was, and corrects sizes. */
export function settleSegments(sizes: ReadonlyMap<number, number>): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      for (const [id, fileBytes] of sizes) {
        const stats = transaction.segments.get(id);
        if (stats?.state === SegmentState.open) seal(stats, fileBytes);
        else if (stats !== undefined) stats.fileBytes = fileBytes;
      }
    },
  };
}

/**
 * Ends the writing of all segments of `writer`, those included that were granted just before. What
 * it may have written counts as written, until somebody has looked at the files.
 */
export function sealSegmentsOf(writer: number): LaneOperation<readonly number[]> {
  return {
    keys: [],
    apply: (transaction) => {
      const stats = transaction.segments.writtenBy(writer);
      for (const one of stats) seal(one, one.fileBytes);
      return stats.map(({ id }) => id);
    },
  };
}

/** Gives a segment of copies the place of the segment that they come from. */
export function placeSegment(id: number, agedFromMs: number): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      const stats = transaction.segments.get(id);
      if (stats !== undefined) stats.agedFromMs = agedFromMs;
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
      const stats = transaction.segments.get(id);
      if (stats?.state !== SegmentState.sealed || stats.records > 0) return false;
      stats.state = SegmentState.dropping;
      transaction.requireSync();
      return true;
    },
  };
}

/**
 * Corrects the counters of a sealed segment into which no record points. REQUIRES: a search of the whole
 * index found none, that began when it was sealed: records may only leave it since.
 */
export function emptySegment(id: number): LaneOperation<void> {
  return { keys: [], apply: (transaction) => transaction.segments.empty(id) };
}

/** Forgets a segment whose file is gone. */
export function forgetSegment(id: number): LaneOperation<void> {
  return { keys: [], apply: (transaction) => transaction.segments.forget(id) };
}

function seal(stats: SegmentStats, fileBytes: number): void {
  stats.fileBytes = fileBytes;
  stats.state = SegmentState.sealed;
  stats.writer = 0;
}
