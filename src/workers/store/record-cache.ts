/**
 * The records of keys that this worker has served lately, so that a hot hit needs no message to the
 * primary. The primary knows by bucket what is held here and has it dropped before it changes
 * (docs/coherence.md), so what is found here is what the index holds. Bodies stay with their records: short
 * ones always, longer ones where they are hot.
 *
 * Bounded in bytes. What was hit since the eviction last came by is passed over once (CLOCK).
 */
import { bucketOfHash, hashKey, KEY_BUCKETS } from '../../protocol/key-hash.ts';
import { decodeRecord, type EntryRecord } from '../../protocol/record.ts';
import { HotBodies } from './hot-bodies.ts';

/** A body up to this size counts as a part of its record. */
const SHORT_BODY_BYTES_MAX = 1024;

/** What an entry takes beside its key, its record and its body, about: the map, the objects. */
const OVERHEAD_BYTES = 300;
/** What a decoded record takes beside the bytes that it is made of, about. */
const DECODED_BYTES = 500;

export class HeldRecord {
  readonly key: string;
  readonly hash: number;
  readonly takenAt: number;
  /** Bytes that it counts for. */
  bytes: number;
  /** Whether it was hit since the eviction last came by. */
  isVisited = false;
  /** Whether its body was shown since the eviction of hot bodies last came by. */
  isBodyVisited = false;
  /** Whether it is among the hits that the primary has not heard of. */
  isHitNoted = false;
  /** The body as it is stored, where it is held. */
  body: Buffer | undefined;
  #encoded: Buffer | undefined;
  #record: EntryRecord | undefined;

  constructor(key: string, hash: number, encoded: Buffer, takenAt: number) {
    this.key = key;
    this.hash = hash;
    // It came in the buffer of a frame, which it must not keep alive.
    this.#encoded = Buffer.from(encoded);
    this.takenAt = takenAt;
    this.bytes = OVERHEAD_BYTES + 2 * key.length + encoded.length;
  }

  /** Decoded at the first hit: most records are never hit. Undefined when it is damaged. */
  get record(): EntryRecord | undefined {
    if (this.#encoded !== undefined) {
      this.#record = decodeRecord(Buffer.from(this.key), this.#encoded);
      this.#encoded = undefined;
    }
    return this.#record;
  }

  get isDecoded(): boolean {
    return this.#encoded === undefined;
  }
}

export class RecordCache {
  readonly #bytesMax: number;
  readonly #hotBodies: HotBodies;
  /** In the order in which the eviction comes by. */
  readonly #held = new Map<string, HeldRecord>();
  /** Bucket -> how often it was dropped; what was taken before that is held no more. */
  readonly #dropped = new Uint32Array(KEY_BUCKETS);
  #droppedOfAll = 0;
  #hits: HeldRecord[] = [];
  #bytes = 0;
  #hitCount = 0;

  /** Records with their short bodies take `bytesMax` at most, hot bodies `bodyBytesMax`. */
  constructor(bytesMax: number, bodyBytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#hotBodies = new HotBodies(bodyBytesMax, (held) => this.#isCurrent(held));
  }

  /** Records that are held, those included that were dropped and not yet met. */
  get size(): number {
    return this.#held.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the hot bodies that are held beside the records. */
  get bodyBytes(): number {
    return this.#hotBodies.bytes;
  }

  /** Hits since the begin. */
  get hits(): number {
    return this.#hitCount;
  }

  /** The record of `key`, if it is held. */
  get(key: string): HeldRecord | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    if (this.#isCurrent(held)) return held;
    this.#remove(held);
    return undefined;
  }

  /** Notes that the entry was shown out of what is held, and whether its body was. */
  noteHit(held: HeldRecord, isBodyShown: boolean): void {
    held.isVisited = true;
    if (isBodyShown) held.isBodyVisited = true;
    this.#hitCount += 1;
    if (held.isHitNoted) return;
    held.isHitNoted = true;
    this.#hits.push(held);
  }

  /**
   * Takes a record that the primary has just answered with. REQUIRES: called while its frame is being
   * decoded, so before anything that the primary sends later.
   */
  take(key: string, encoded: Buffer): void {
    const before = this.#held.get(key);
    if (before !== undefined) this.#remove(before);
    const hash = hashKey(key);
    const held = new HeldRecord(key, hash, encoded, this.#markOf(hash));
    this.#held.set(key, held);
    this.#grow(held, held.bytes);
  }

  /** Decodes the record of what is held; undefined, and dropped, when it is damaged. */
  recordOf(held: HeldRecord): EntryRecord | undefined {
    if (!held.isDecoded) this.#grow(held, DECODED_BYTES, true);
    const { record } = held;
    if (record === undefined) this.remove(held);
    return record;
  }

  /** Whether the body of what is held, of so many bytes as it is stored, is to be held too. */
  wantsBody(held: HeldRecord, bytes: number): boolean {
    return bytes <= SHORT_BODY_BYTES_MAX || this.#hotBodies.wants(held, bytes);
  }

  /** Holds the stored body of what is held. REQUIRES: nobody else writes into `body`. */
  keepBody(held: HeldRecord, body: Buffer): void {
    if (held.body !== undefined || this.#held.get(held.key) !== held) return;
    if (body.length > SHORT_BODY_BYTES_MAX) {
      this.#hotBodies.keep(held, body);
      return;
    }
    held.body = body;
    this.#grow(held, body.length, true);
  }

  /** The primary is asked again: what is held is of no use. */
  remove(held: HeldRecord): void {
    if (this.#held.get(held.key) === held) this.#remove(held);
  }

  /**
   * Drops what is held of these buckets, or all. REQUIRES: as for `take`; the primary is answered after.
   */
  drop(buckets: readonly number[] | undefined): void {
    if (buckets === undefined) {
      this.#droppedOfAll += 1;
      this.#held.clear();
      this.#hotBodies.clear();
      this.#bytes = 0;
      return;
    }
    // What is met later is found dropped then.
    for (const bucket of buckets) this.#dropped[bucket] = (this.#dropped[bucket] as number) + 1;
  }

  /** The hashes of keys that were hit since they were last told; at most `max`. */
  takeHits(max: number): number[] {
    const told = this.#hits.length <= max ? this.#hits : this.#hits.slice(0, max);
    // The others were hit too, and are told when they are hit again.
    for (const held of this.#hits) held.isHitNoted = false;
    this.#hits = [];
    return told.map(({ hash }) => hash);
  }

  /** Neither of the two ever shrinks, so their sum stays only where both do. */
  #markOf(hash: number): number {
    return (this.#dropped[bucketOfHash(hash)] as number) + this.#droppedOfAll;
  }

  #isCurrent(held: HeldRecord): boolean {
    return held.takenAt === this.#markOf(held.hash);
  }

  #grow(held: HeldRecord, bytes: number, isHeldAlready = false): void {
    if (isHeldAlready) held.bytes += bytes;
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  #evict(): void {
    // Each is passed over once at most, so this ends.
    for (const [key, held] of this.#held) {
      if (this.#bytes <= this.#bytesMax) return;
      if (held.isVisited && this.#isCurrent(held)) {
        held.isVisited = false;
        this.#held.delete(key);
        this.#held.set(key, held);
      } else this.#remove(held);
    }
  }

  #remove(held: HeldRecord): void {
    this.#held.delete(held.key);
    this.#hotBodies.forget(held);
    this.#bytes -= held.bytes;
  }
}
