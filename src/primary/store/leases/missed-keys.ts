/**
 * When keys were missed, in the primary: a miss that is followed by a write of its key within five minutes
 * tells what it cost to make the entry, with no help from the client.
 */
import { hashKey } from '../../../protocol/key-hash.ts';
import { isIntact, withCost } from '../../../protocol/record.ts';

/** A later write has nothing to do with the miss. */
const WRITE_WITHIN_MS = 5 * 60_000;
/** A new miss takes the slot of an old one with the same lower bits; 1 MiB in all. */
const SLOTS = 2 ** 16;

const NO_COST = -1;

export class MissedKeys {
  readonly #hashes = new Uint32Array(SLOTS);
  /** 0 where the slot was never used. */
  readonly #missedAtMs = new Float64Array(SLOTS);
  /** What the first write after the miss has cost: those that rendered beside it count the same. */
  readonly #costMs = new Float64Array(SLOTS);

  /** The key was missed. The first miss since the last write counts: there the making begins. */
  missed(key: string, nowMs: number): void {
    const hash = hashKey(key);
    const slot = hash % SLOTS;
    if (this.#isFresh(slot, hash, nowMs) && this.#costMs[slot] === NO_COST) return;
    this.#hashes[slot] = hash;
    this.#missedAtMs[slot] = nowMs;
    this.#costMs[slot] = NO_COST;
  }

  /** What it cost to make what is written now; 0 where no miss tells. Keys of one hash share a miss. */
  costOf(key: string, nowMs: number): number {
    const hash = hashKey(key);
    const slot = hash % SLOTS;
    if (!this.#isFresh(slot, hash, nowMs)) return 0;
    if (this.#costMs[slot] === NO_COST) {
      this.#costMs[slot] = Math.floor(nowMs - (this.#missedAtMs[slot] as number));
    }
    return this.#costMs[slot] as number;
  }

  /** The record of what is written now, with what it cost to make where a miss tells. */
  withCost(key: string, record: Buffer, nowMs: number): Buffer {
    const costMs = this.costOf(key, nowMs);
    if (costMs === 0) return record;
    const keyBytes = Buffer.from(key);
    return isIntact(keyBytes, record) ? withCost(keyBytes, record, costMs) : record;
  }

  #isFresh(slot: number, hash: number, nowMs: number): boolean {
    if (this.#hashes[slot] !== hash) return false;
    const sinceMs = nowMs - (this.#missedAtMs[slot] as number);
    return sinceMs >= 0 && sinceMs <= WRITE_WITHIN_MS;
  }
}
