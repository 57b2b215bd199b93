/**
 * The overlay of one batch of the write lane: its operations see what those before them did, and
 * nobody else sees anything until the batch is in the index and `publish` is called.
 */
import {
  IN_RECORD,
  isFreshAt,
  isIntact,
  movedRecord,
  type Pointer,
  pointerOf,
  stampVersion,
  usefulUntilOf,
  versionOf,
} from '../../protocol/record.ts';
import { tagsOf } from '../../protocol/record-fields.ts';
import { occupiedBytesOf } from '../../segments/format.ts';
import { encodeNumber, entryKey, metaKey, segmentKey } from './index/index-keys.ts';
import type { IndexChange } from './index/index-writes.ts';
import type { GoneReason } from './purges/gone-entries.ts';
import type { PurgeMark } from './purges/purge-matchers.ts';
import { PurgeOverlay } from './purges/purge-overlay.ts';
import { isCleared, isOfEverything, type Purge } from './purges/purges.ts';
import { correct, type Recounted } from './recounted.ts';
import {
  countRecord,
  encodeSegmentStats,
  newSegmentStats,
  SegmentState,
  type SegmentStats,
} from './segment-stats.ts';
import { epochIsSpent, type StoreState, VERSIONS_PER_EPOCH } from './state.ts';

export class Transaction {
  readonly nowMs: number;
  readonly #state: StoreState;
  readonly #before: ReadonlyMap<string, Buffer | undefined>;
  /** Key -> its record after this batch; null when it has none. */
  readonly #entries = new Map<string, Buffer | null>();
  /** Segment -> its accounting after this batch; null when it is forgotten. */
  readonly #segments = new Map<number, SegmentStats | null>();
  /** Key -> its record as this batch wrote it; null where it was deleted, or was not there to delete. */
  readonly #changedKeys = new Map<string, Buffer | null>();
  readonly #purges: PurgeOverlay;
  #count: number;
  #nextSegment: number;
  #clearVersion: number;
  #evicted: number;
  #sync = false;
  #recounted = false;
  #reservedUpTo: number | undefined;
  #handPosition: Buffer | undefined;

  /** `before` holds the records that stand in the index for every key the batch will touch. */
  constructor(state: StoreState, before: ReadonlyMap<string, Buffer | undefined>, nowMs: number) {
    this.#state = state;
    this.#before = before;
    this.nowMs = nowMs;
    this.#purges = new PurgeOverlay(state);
    this.#count = state.count;
    this.#nextSegment = state.nextSegment;
    this.#clearVersion = state.purges.clearVersion;
    this.#evicted = state.evicted;
  }

  /** Whether the batch must be on disk before it is acknowledged. */
  get mustSync(): boolean {
    return this.#sync;
  }

  requireSync(): void {
    this.#sync = true;
  }

  /** Versions rise over the whole life of the store. A version may be given and then not be used. */
  takeVersion(): number {
    const version = this.#state.nextVersion;
    if (epochIsSpent(version)) this.#reserveEpoch(version);
    this.#state.nextVersion += 1;
    return version;
  }

  /** The next epoch is on disk before the first of its versions is acknowledged. */
  #reserveEpoch(epoch: number): void {
    this.#reservedUpTo = epoch + VERSIONS_PER_EPOCH;
    this.requireSync();
  }

  /** The record of `key` as it stands now. REQUIRES: the operation named the key. */
  record(key: string): Buffer | undefined {
    const written = this.#entries.get(key);
    if (written !== undefined) return written ?? undefined;
    if (written === undefined && !this.#before.has(key)) {
      throw new Error('INVARIANT: an operation names every key that it touches');
    }
    return this.#before.get(key);
  }

  /** Whether a reader may be shown the record, stale perhaps: neither purged nor past its windows. */
  isReadable(key: string, record: Buffer): boolean {
    const untilMs = usefulUntilOf(record);
    return (untilMs === 0 || untilMs > this.nowMs) && !this.isPurged(key, record);
  }

  /** Whether a reader who takes nothing stale is shown the record. */
  isFresh(key: string, record: Buffer): boolean {
    if (!isFreshAt(record, this.nowMs) || this.isPurged(key, record)) return false;
    return !this.#purges.isSoftened(key, record);
  }

  isPurged(key: string, record: Buffer): boolean {
    return versionOf(record) <= this.#clearVersion || this.#purges.isPurged(key, record);
  }

  /** Replaces the record of `key`; gives `record` its version, in place. */
  write(key: string, record: Buffer): number {
    this.#discount(key, false);
    const version = this.takeVersion();
    const keyBytes = Buffer.from(key);
    stampVersion(keyBytes, record, version);
    const pointer = pointerOf(record);
    if (pointer.segment !== IN_RECORD) {
      const stats = this.segment(pointer.segment);
      if (stats === undefined) throw new Error('INVARIANT: a commit points into a granted segment');
      countRecord(stats, keyBytes.length, record, pointer);
    }
    this.#count += 1;
    this.#entries.set(key, record);
    this.#changedKeys.set(key, record);
    return version;
  }

  /**
   * Gives `key` the record `changed`, which differs in its times. It is no write: the version
   * stays, and so do leases. REQUIRES: the record that stands is fresh and intact.
   */
  retime(key: string, changed: Buffer): void {
    const stats = this.segment(pointerOf(changed).segment);
    // What the record says beside its head counts as a part of the append.
    if (stats !== undefined) stats.bytesLive += changed.length - (this.record(key)?.length ?? 0);
    this.#entries.set(key, changed);
  }

  /**
   * A client has deleted the key, whether or not there was an entry: its leases are lost. It takes a
   * version, so that those which are given from now on are told from those before.
   */
  noteDeleted(key: string): void {
    this.takeVersion();
    this.#changedKeys.set(key, null);
  }

  /**
   * Whether `token` was given for `key`, and the key was neither written, deleted nor purged since, by
   * what is committed or by this batch. Purges by tag go by the tags of `record`, which is to be written,
   * and by those of the one that it replaces.
   */
  isLeaseGood(key: string, record: Buffer, token: string): boolean {
    const { leases } = this.#state;
    if (this.#changedKeys.has(key) || !leases.isGood(key, tagsOf(record), token)) return false;
    const before = this.record(key);
    return !this.#purges.hasBegunOver(key, before === undefined ? [record] : [record, before]);
  }

  /**
   * Lets the record of `key` point to a copy of its body. The version stays, so no reader and no
   * condition can tell. REQUIRES: `record` is the record of `key`, intact, and not cleared.
   */
  move(key: string, record: Buffer, to: Pointer, isSpared: boolean): void {
    const keyBytes = Buffer.from(key);
    const from = this.segment(pointerOf(record).segment);
    const target = this.segment(to.segment);
    if (target === undefined) throw new Error('INVARIANT: a copy lies in a granted segment');
    const bytes = occupiedBytesOf(keyBytes.length, record);
    if (from !== undefined) {
      from.bytesLive = this.#atLeastNothing(from.bytesLive - bytes);
      from.records = this.#atLeastNothing(from.records - 1);
    }
    countRecord(target, keyBytes.length, record, to);
    this.#entries.set(key, movedRecord(keyBytes, record, to, isSpared));
  }

  /** Entries of before that are gone for want of room. */
  countEvicted(entries: number): void {
    this.#evicted += entries;
  }

  isCleared(record: Buffer): boolean {
    return versionOf(record) <= this.#clearVersion;
  }

  /**
   * Removes the record of `key`, if there is one. `why` is noted, unless it was purged or had expired
   * before; where it is not given, nothing but damage is left.
   */
  remove(key: string, why: GoneReason = 'damaged'): void {
    const record = this.record(key);
    if (record === undefined) return;
    this.#purges.noteGone(key, record, this.isPurged(key, record) ? 'purged' : why, this.nowMs);
    this.#discount(key, true);
    this.#entries.set(key, null);
  }

  /** Makes the record stale, as a pending soft purge says; false where none took it while it was fresh. */
  soften(key: string): boolean {
    const record = this.record(key);
    if (record === undefined || this.isPurged(key, record)) return false;
    const stale = this.#purges.soften(key, record);
    if (stale === undefined) return false;
    this.#entries.set(key, stale);
    return true;
  }

  /** The accounting of a segment, to be changed in place; undefined when there is no such segment. */
  segment(id: number): SegmentStats | undefined {
    const touched = this.#segments.get(id);
    if (touched !== undefined) return touched ?? undefined;
    const stats = this.#state.segments.get(id);
    if (stats === undefined) return undefined;
    const copy = { ...stats };
    this.#segments.set(id, copy);
    return copy;
  }

  /** The accounting of the segments that `writer` may write, to be changed in place. */
  segmentsOf(writer: number): SegmentStats[] {
    const open = new Set([...this.#state.openSegments, ...this.#segments.keys()]);
    return [...open]
      .filter((id) => mayWrite(this.#segments.get(id) ?? this.#state.segments.get(id), writer))
      .map((id) => this.segment(id))
      .filter((stats) => stats !== undefined);
  }

  #segmentIds(): number[] {
    return [...new Set([...this.#state.segments.keys(), ...this.#segments.keys()])];
  }

  /** Grants a new segment; ids rise and are never used again. */
  grantSegment(writer: number, fileBytes: number): number {
    const id = this.#nextSegment;
    this.#nextSegment += 1;
    this.#segments.set(id, newSegmentStats(id, writer, this.nowMs, fileBytes));
    this.requireSync();
    return id;
  }

  /** No record points into the segment, whatever its counters say. */
  emptySegment(id: number): void {
    const stats = this.segment(id);
    // A recount adds what it has found, so nothing else may correct the counters before it has ended.
    if (stats?.state !== SegmentState.sealed || !this.#state.countsAreSure) return;
    stats.bytesLive = 0;
    stats.records = 0;
  }

  forgetSegment(id: number): void {
    this.#segments.set(id, null);
  }

  get pendingPurges(): number {
    return this.#purges.pending;
  }

  /** Every matching entry is gone, or stale, once this batch is committed. */
  purge(selection: Omit<PurgeMark, 'version' | 'startedAtMs'>): Purge {
    const version = this.takeVersion();
    const purge = this.#purges.begin({ ...selection, version, startedAtMs: this.nowMs });
    if (isOfEverything(purge) && purge.isSoft !== true) this.#clearAccounting(version);
    return purge;
  }

  /** REQUIRES: no record is left that the purge took. */
  finishPurge(version: number): void {
    this.#purges.end(version);
  }

  /** Saves where the hand goes on after a restart. */
  saveHandPosition(position: Buffer): void {
    this.#handPosition = position;
  }

  /** After a clear nothing of before counts any more, although the records are still being removed. */
  #clearAccounting(version: number): void {
    this.#clearVersion = version;
    this.#count = 0;
    for (const id of this.#segmentIds()) {
      const stats = this.segment(id);
      if (stats === undefined) continue;
      stats.bytesLive = 0;
      stats.records = 0;
    }
  }

  /** Takes the current record of `key` out of the accounting. */
  #discount(key: string, isRemoved: boolean): void {
    const record = this.record(key);
    if (record === undefined) return;
    const keyBytes = Buffer.from(key);
    const isSound = isIntact(keyBytes, record);
    if (isSound) this.#purges.creditGone(key, record, isRemoved);
    if (isCleared(versionOf(record), this.#clearVersion)) return;
    this.#count = this.#atLeastNothing(this.#count - 1);
    // A damaged record cannot say where its body lies: `emptySegment` corrects what stays counted there.
    if (!isSound) return;
    const stats = this.segment(pointerOf(record).segment);
    if (stats === undefined) return;
    stats.bytesLive = this.#atLeastNothing(
      stats.bytesLive - occupiedBytesOf(keyBytes.length, record),
    );
    stats.records = this.#atLeastNothing(stats.records - 1);
  }

  /** After damage more may be removed than was counted; until the recount even that counts. */
  #atLeastNothing(counted: number): number {
    return this.#state.countsAreSure ? Math.max(0, counted) : counted;
  }

  /** Corrects the counters by what a recount found, and ends the time in which they are not sure. */
  applyRecount(recounted: Recounted): void {
    this.#recounted = true;
    // A clear since has set everything to nothing and counted exactly from there.
    if (recounted.clearVersion !== this.#clearVersion) return;
    this.#count = Math.max(0, this.#count + recounted.count);
    for (const id of this.#segmentIds()) {
      const stats = this.segment(id);
      if (stats !== undefined) correct(stats, recounted.segments.get(id));
    }
  }

  /** All changes of the batch, for one write to the index. */
  changes(): IndexChange[] {
    const changes: IndexChange[] = [];
    const put = (key: Buffer, value: Buffer): void => {
      changes.push({ type: 'put', key, value });
    };
    for (const [key, record] of this.#entries) {
      if (record !== null) put(entryKey(key), record);
      else if (this.#before.get(key) !== undefined)
        changes.push({ type: 'del', key: entryKey(key) });
    }
    for (const [id, stats] of this.#segments) {
      if (stats !== null) put(segmentKey(id), encodeSegmentStats(stats));
      else changes.push({ type: 'del', key: segmentKey(id) });
    }
    changes.push(...this.#purges.changes(this.nowMs));
    if (this.#reservedUpTo !== undefined) {
      put(metaKey('versions'), encodeNumber('versions', this.#reservedUpTo));
    }
    if (this.#handPosition !== undefined) put(metaKey('hand'), this.#handPosition);
    if (this.#count !== this.#state.count || this.#recounted) {
      put(metaKey('count'), encodeNumber('count', Math.max(0, this.#count)));
    }
    if (this.#recounted) changes.push({ type: 'del', key: metaKey('recount') });
    if (this.#nextSegment !== this.#state.nextSegment) {
      put(metaKey('next-segment'), encodeNumber('next-segment', this.#nextSegment));
    }
    if (this.#evicted !== this.#state.evicted) {
      put(metaKey('evicted'), encodeNumber('evicted', this.#evicted));
    }
    if (this.#clearVersion !== this.#state.purges.clearVersion) {
      put(metaKey('clear'), encodeNumber('clear', this.#clearVersion));
    }
    return changes;
  }

  /** Makes the batch the truth. REQUIRES: `changes` are in the index. */
  publish(): void {
    const state = this.#state;
    state.count = this.#count;
    if (this.#recounted) state.countsAreSure = true;
    state.nextSegment = this.#nextSegment;
    state.evicted = this.#evicted;
    for (const [id, stats] of this.#segments) {
      const bytesBefore = state.segments.get(id)?.fileBytes ?? 0;
      state.segmentBytes += (stats?.fileBytes ?? 0) - bytesBefore;
      if (stats?.state === SegmentState.open) state.openSegments.add(id);
      else state.openSegments.delete(id);
      if (stats === null) state.segments.delete(id);
      else state.segments.set(id, stats);
    }
    this.#purges.publish(this.nowMs);
    if (this.#handPosition !== undefined) state.handPosition = this.#handPosition;
    state.leases.published({
      keys: this.#changedKeys,
      hasPurges: this.#purges.hasBegun,
      version: state.nextVersion - 1,
    });
  }
}

/** Whether `writer` may commit into the segment. */
export function mayWrite(stats: SegmentStats | undefined, writer: number): boolean {
  return stats?.state === SegmentState.open && stats.writer === writer;
}
