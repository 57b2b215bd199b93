/**
 * What one batch of the write lane does to the accounting of segments: nobody else sees any of it until the
 * batch is published.
 */
import { type Pointer, pointerOf } from '../../protocol/record.ts';
import { occupiedBytesOf } from '../../segments/format.ts';
import { encodeNumber, metaKey, segmentKey } from './index/index-keys.ts';
import type { IndexChange } from './index/index-writes.ts';
import { atLeastNothing, correct, type Recounted } from './recounted.ts';
import {
  countRecord,
  encodeSegmentStats,
  newSegmentStats,
  SegmentState,
  type SegmentStats,
} from './segment-stats.ts';
import type { StoreState } from './state.ts';

export class SegmentOverlay {
  readonly #state: StoreState;
  readonly #nowMs: number;
  /** Segment -> its accounting after this batch; null when it is forgotten. */
  readonly #changed = new Map<number, SegmentStats | null>();
  #nextSegment: number;

  constructor(state: StoreState, nowMs: number) {
    this.#state = state;
    this.#nowMs = nowMs;
    this.#nextSegment = state.nextSegment;
  }

  /** The accounting of a segment, to be changed in place; undefined when there is no such segment. */
  get(id: number): SegmentStats | undefined {
    const changed = this.#changed.get(id);
    if (changed !== undefined) return changed ?? undefined;
    const stats = this.#state.segments.get(id);
    if (stats === undefined) return undefined;
    const copy = { ...stats };
    this.#changed.set(id, copy);
    return copy;
  }

  /** The accounting of the segments that `writer` may write, to be changed in place. */
  writtenBy(writer: number): SegmentStats[] {
    const open = new Set([...this.#state.openSegments, ...this.#changed.keys()]);
    return [...open]
      .filter((id) => mayWrite(this.#changed.get(id) ?? this.#state.segments.get(id), writer))
      .map((id) => this.get(id))
      .filter((stats) => stats !== undefined);
  }

  /** A new segment; ids rise and are never used again. REQUIRES: the batch is synced. */
  grant(writer: number, fileBytes: number): number {
    const id = this.#nextSegment;
    this.#nextSegment += 1;
    this.#changed.set(id, newSegmentStats(id, writer, this.#nowMs, fileBytes));
    return id;
  }

  forget(id: number): void {
    this.#changed.set(id, null);
  }

  /** No record points into the segment, whatever its counters say. */
  empty(id: number): void {
    const stats = this.get(id);
    // A recount adds what it has found, so nothing else may correct the counters before it has ended.
    if (stats?.state !== SegmentState.sealed || !this.#state.countsAreSure) return;
    stats.bytesLive = 0;
    stats.records = 0;
  }

  /** No record of before counts any more, although the records themselves are still being removed. */
  clear(): void {
    for (const stats of this.#all()) {
      stats.bytesLive = 0;
      stats.records = 0;
    }
  }

  /** Counts a record whose body lies at `pointer`. REQUIRES: in a segment that was granted. */
  add(keyBytes: number, record: Buffer, pointer: Pointer): void {
    const stats = this.get(pointer.segment);
    if (stats === undefined) throw new Error('INVARIANT: a record points into a granted segment');
    countRecord(stats, keyBytes, record, pointer);
  }

  /** Counts it no more. */
  take(keyBytes: number, record: Buffer): void {
    const stats = this.get(pointerOf(record).segment);
    if (stats === undefined) return;
    const bytes = occupiedBytesOf(keyBytes, record);
    stats.bytesLive = atLeastNothing(stats.bytesLive - bytes, this.#state);
    stats.records = atLeastNothing(stats.records - 1, this.#state);
  }

  /** Brings all counters right by what a recount has found. */
  correct({ segments }: Recounted): void {
    for (const stats of this.#all()) correct(stats, segments.get(stats.id));
  }

  changes(): IndexChange[] {
    const changes = [...this.#changed].map(
      ([id, stats]): IndexChange =>
        stats === null
          ? { type: 'del', key: segmentKey(id) }
          : { type: 'put', key: segmentKey(id), value: encodeSegmentStats(stats) },
    );
    if (this.#nextSegment !== this.#state.nextSegment) {
      const value = encodeNumber('next-segment', this.#nextSegment);
      changes.push({ type: 'put', key: metaKey('next-segment'), value });
    }
    return changes;
  }

  /** Makes it the truth. REQUIRES: `changes` are in the index. */
  publish(): void {
    const state = this.#state;
    state.nextSegment = this.#nextSegment;
    for (const [id, stats] of this.#changed) {
      const bytesBefore = state.segments.get(id)?.fileBytes ?? 0;
      state.segmentBytes += (stats?.fileBytes ?? 0) - bytesBefore;
      if (stats?.state === SegmentState.open) state.openSegments.add(id);
      else state.openSegments.delete(id);
      if (stats === null) state.segments.delete(id);
      else state.segments.set(id, stats);
    }
  }

  *#all(): Generator<SegmentStats> {
    for (const id of new Set([...this.#state.segments.keys(), ...this.#changed.keys()])) {
      const stats = this.get(id);
      if (stats !== undefined) yield stats;
    }
  }
}

/** Whether `writer` may commit into the segment. */
export function mayWrite(stats: SegmentStats | null | undefined, writer: number): boolean {
  return stats?.state === SegmentState.open && stats.writer === writer;
}
