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
import { entryKey } from './index/index-keys.ts';
import type { IndexChange } from './index/index-writes.ts';
import { NumberOverlay } from './number-overlay.ts';
import type { GoneReason } from './purges/gone-entries.ts';
import type { PurgeMark } from './purges/purge-matchers.ts';
import { PurgeOverlay } from './purges/purge-overlay.ts';
import { isCleared, isOfEverything, type Purge } from './purges/purges.ts';
import type { Recounted } from './recounted.ts';
import { SegmentOverlay } from './segment-overlay.ts';
import type { StoreState } from './state.ts';

export class Transaction {
  readonly nowMs: number;
  /** The accounting of segments, for operations that are about them. */
  readonly segments: SegmentOverlay;
  readonly #state: StoreState;
  readonly #before: ReadonlyMap<string, Buffer | undefined>;
  /** Key -> its record after this batch; null when it has none. */
  readonly #entries = new Map<string, Buffer | null>();
  /** Key -> its record as this batch wrote it; null where it was deleted, or was not there to delete. */
  readonly #changedKeys = new Map<string, Buffer | null>();
  readonly #purges: PurgeOverlay;
  readonly #numbers: NumberOverlay;
  #sync = false;

  /** `before` holds the records that stand in the index for every key the batch will touch. */
  constructor(state: StoreState, before: ReadonlyMap<string, Buffer | undefined>, nowMs: number) {
    this.#state = state;
    this.#before = before;
    this.nowMs = nowMs;
    this.segments = new SegmentOverlay(state, nowMs);
    this.#purges = new PurgeOverlay(state);
    this.#numbers = new NumberOverlay(state);
  }

  /** Whether the batch must be on disk before it is acknowledged. */
  get mustSync(): boolean {
    return this.#sync || this.#numbers.hasReserved;
  }

  requireSync(): void {
    this.#sync = true;
  }

  /** See NumberOverlay. */
  takeVersion(): number {
    return this.#numbers.takeVersion();
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
    return this.isCleared(record) || this.#purges.isPurged(key, record);
  }

  /** Replaces the record of `key`; gives `record` its version, in place. */
  write(key: string, record: Buffer): number {
    this.#discount(key, false);
    const version = this.takeVersion();
    const keyBytes = Buffer.from(key);
    stampVersion(keyBytes, record, version);
    const pointer = pointerOf(record);
    if (pointer.segment !== IN_RECORD) this.segments.add(keyBytes.length, record, pointer);
    this.#numbers.countEntry();
    this.#entries.set(key, record);
    this.#changedKeys.set(key, record);
    return version;
  }

  /**
   * Gives `key` the record `changed`, which differs in its times. It is no write: the version
   * stays, and so do leases. REQUIRES: the record that stands is fresh and intact.
   */
  retime(key: string, changed: Buffer): void {
    const stats = this.segments.get(pointerOf(changed).segment);
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
    this.segments.take(keyBytes.length, record);
    this.segments.add(keyBytes.length, record, to);
    this.#entries.set(key, movedRecord(keyBytes, record, to, isSpared));
  }

  /** Entries of before that are gone for want of room. */
  countEvicted(entries: number): void {
    this.#numbers.countEvicted(entries);
  }

  isCleared(record: Buffer): boolean {
    return versionOf(record) <= this.#numbers.clearVersion;
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
    this.#numbers.saveHandPosition(position);
  }

  /** After a clear nothing of before counts any more, although the records are still being removed. */
  #clearAccounting(version: number): void {
    this.#numbers.clear(version);
    this.segments.clear();
  }

  /** Takes the current record of `key` out of the accounting. */
  #discount(key: string, isRemoved: boolean): void {
    const record = this.record(key);
    if (record === undefined) return;
    const keyBytes = Buffer.from(key);
    const isSound = isIntact(keyBytes, record);
    if (isSound) this.#purges.creditGone(key, record, isRemoved);
    if (isCleared(versionOf(record), this.#numbers.clearVersion)) return;
    this.#numbers.discountEntry();
    // A damaged record cannot say where its body lies: `emptySegment` corrects what stays counted there.
    if (isSound) this.segments.take(keyBytes.length, record);
  }

  /** Corrects the counters by what a recount found, and ends the time in which they are not sure. */
  applyRecount(recounted: Recounted): void {
    // A clear since has set everything to nothing and counted exactly from there.
    const isVoid = recounted.clearVersion !== this.#numbers.clearVersion;
    this.#numbers.correct(isVoid ? 0 : recounted.count);
    if (!isVoid) this.segments.correct(recounted);
  }

  /** All changes of the batch, for one write to the index. */
  changes(): IndexChange[] {
    const changes: IndexChange[] = [];
    for (const [key, record] of this.#entries) {
      if (record !== null) changes.push({ type: 'put', key: entryKey(key), value: record });
      else if (this.#before.get(key) !== undefined)
        changes.push({ type: 'del', key: entryKey(key) });
    }
    changes.push(...this.segments.changes(), ...this.#purges.changes(this.nowMs));
    changes.push(...this.#numbers.changes());
    return changes;
  }

  /** Makes the batch the truth. REQUIRES: `changes` are in the index. */
  publish(): void {
    this.segments.publish();
    this.#numbers.publish();
    this.#purges.publish(this.nowMs);
    const { leases, nextVersion } = this.#state;
    leases.published({
      keys: this.#changedKeys,
      hasPurges: this.#purges.hasBegun,
      version: nextVersion - 1,
    });
  }
}
