/**
 * Keeps what workers hold of the index equal to it, in the primary. Workers keep records that they were
 * given lately and answer hits from them, so a change is made in this order: the workers that may hold
 * the old record drop it, each says so, the change is committed, and only then acknowledged. So no
 * reader is given the old record once any reader could have been given the new one.
 *
 * Kept are no keys, but for each of 2^18 buckets of keys which workers were given a record of it since
 * they last dropped it.
 *
 * INVARIANT: a worker that holds a record of a bucket has its bit there, or a handshake with it is under
 * way. A record that was read while a change of its bucket was pending is held by nobody.
 */
import { bucketOf, KEY_BUCKETS } from '../../protocol/key-hash.ts';
import {
  HANDSHAKE_LIMITS,
  Handshake,
  type HandshakeLimits,
  type RecordHolder,
} from './handshake.ts';

/** No mark of a bucket is it. */
const NOT_TO_BE_HELD = -1;

/** How the lane makes its changes known to whoever holds what they change. */
export interface ChangeGuard {
  /**
   * Runs `change`, which changes records of `keys`, once nobody holds these. Rejects with
   * DEADLINE_EXCEEDED, without having run it, where a worker neither answers nor ends.
   */
  change<T>(keys: readonly string[], change: () => Promise<T>): Promise<T>;
  /** `change` for what may change any record. */
  changeAll<T>(change: () => Promise<T>): Promise<T>;
  /** Resolves when every change that waits for workers now has begun, or was refused; undefined if none. */
  readonly begun: Promise<unknown> | undefined;
}

/** Where nobody holds anything. */
export const NOBODY_HOLDS: ChangeGuard = {
  change: (_keys, change) => change(),
  changeAll: (change) => change(),
  begun: undefined,
};

export class Coherence implements ChangeGuard {
  /** Bucket -> bits of the workers that may hold a record of it. */
  readonly #holders = new Uint32Array(KEY_BUCKETS);
  /** Bucket -> changes that are under way. */
  readonly #pending = new Uint32Array(KEY_BUCKETS);
  /** Bucket -> changes that have ended, whatever came of them. */
  readonly #ended = new Uint32Array(KEY_BUCKETS);
  #pendingOfAll = 0;
  #endedOfAll = 0;
  readonly #workers = new Set<RecordHolder>();
  /** Those who were given anything since they last dropped everything: one that still loads is not asked. */
  readonly #holding = new Set<RecordHolder>();
  /** The one that later changes of this turn of the event loop can still join. */
  #gathering: Handshake | undefined;
  /** Bucket -> the handshake that has taken its bits and has not ended. */
  readonly #shaking = new Map<number, Promise<void>>();
  /** The handshakes about everything that have not ended. */
  readonly #shakingAll = new Set<Promise<unknown>>();
  /** Changes that wait for workers; each resolves when it has begun. */
  readonly #waiting = new Set<Promise<unknown>>();
  readonly #limits: HandshakeLimits;

  constructor(limits: Partial<HandshakeLimits> = {}) {
    this.#limits = { ...HANDSHAKE_LIMITS, ...limits };
  }

  /** Workers to be asked, from now on. */
  join(worker: RecordHolder): void {
    this.#workers.add(worker);
  }

  /** REQUIRES: the process has ended, since one that is stopped may go on and answer from memory. */
  leave(worker: RecordHolder): void {
    if (!this.#workers.delete(worker)) return;
    this.#holding.delete(worker);
    for (const other of this.#workers) if (other.bit === worker.bit) return;
    const others = ~worker.bit;
    for (let bucket = 0; bucket < KEY_BUCKETS; bucket++) {
      this.#holders[bucket] = (this.#holders[bucket] as number) & others;
    }
  }

  /**
   * Notes that the worker will be given a record of the bucket. Answers a mark for `mayHold`. REQUIRES:
   * called before the record is read.
   */
  register(worker: RecordHolder, bucket: number): number {
    if (this.#pendingOfAll > 0 || this.#pending[bucket] !== 0) return NOT_TO_BE_HELD;
    this.#holders[bucket] = (this.#holders[bucket] as number) | worker.bit;
    this.#holding.add(worker);
    return this.#markOf(bucket);
  }

  /** Whether a record may be held that was read after `register` gave the mark. */
  mayHold(bucket: number, mark: number): boolean {
    if (this.#pendingOfAll > 0 || this.#pending[bucket] !== 0) return false;
    return this.#markOf(bucket) === mark;
  }

  async change<T>(keys: readonly string[], change: () => Promise<T>): Promise<T> {
    const buckets = bucketsOf(keys);
    for (const bucket of buckets) this.#pending[bucket] = (this.#pending[bucket] as number) + 1;
    try {
      const shaken = this.#shake(buckets);
      return await (shaken === undefined ? change() : this.#begin(shaken, change));
    } finally {
      for (const bucket of buckets) {
        this.#pending[bucket] = (this.#pending[bucket] as number) - 1;
        this.#ended[bucket] = (this.#ended[bucket] as number) + 1;
      }
    }
  }

  async changeAll<T>(change: () => Promise<T>): Promise<T> {
    const resume = this.#suspend();
    try {
      return await this.#begin(this.#shakeAll(), change);
    } finally {
      resume();
    }
  }

  /** Resolves when nobody holds anything; until `resume` is called nobody is given anything to hold. */
  async suspend(): Promise<() => void> {
    const resume = this.#suspend();
    try {
      await this.#shakeAll();
    } catch (error) {
      resume();
      throw error;
    }
    return resume;
  }

  get begun(): Promise<unknown> | undefined {
    return this.#waiting.size === 0 ? undefined : Promise.allSettled([...this.#waiting]);
  }

  #suspend(): () => void {
    this.#pendingOfAll += 1;
    let isSuspended = true;
    return () => {
      if (!isSuspended) return;
      isSuspended = false;
      this.#pendingOfAll -= 1;
      this.#endedOfAll += 1;
    };
  }

  /** Neither of the two ever shrinks, so their sum stays only where both do. */
  #markOf(bucket: number): number {
    return (this.#ended[bucket] as number) + this.#endedOfAll;
  }

  async #begin<T>(shaken: Promise<unknown>, change: () => Promise<T>): Promise<T> {
    // In an object, since what is begun may take long.
    const beginning = shaken.then(() => ({ done: change() }));
    this.#waiting.add(beginning);
    try {
      return await (await beginning).done;
    } finally {
      this.#waiting.delete(beginning);
    }
  }

  /** Has all who may hold a record of these buckets drop it; undefined where nobody does. */
  #shake(buckets: readonly number[]): Promise<unknown> | undefined {
    const awaited = new Set<Promise<unknown>>(this.#shakingAll);
    for (const bucket of buckets) {
      // A change that waits has taken the bits; whoever comes after it waits as long.
      const earlier = this.#shaking.get(bucket);
      if (earlier !== undefined) awaited.add(earlier);
      if (this.#holders[bucket] !== 0) awaited.add(this.#shakeOne(bucket));
    }
    return awaited.size === 0 ? undefined : Promise.all(awaited);
  }

  #shakeOne(bucket: number): Promise<void> {
    const bits = this.#holders[bucket] as number;
    this.#holders[bucket] = 0;
    const handshake = this.#gather();
    for (const worker of this.#workers) {
      if ((worker.bit & bits) !== 0) handshake.add(worker, bucket);
    }
    this.#shaking.set(bucket, handshake.done);
    const forget = (): void => {
      if (this.#shaking.get(bucket) === handshake.done) this.#shaking.delete(bucket);
    };
    handshake.done.then(forget, forget);
    return handshake.done;
  }

  /** A handshake for all that begins in this turn, so that each worker is asked once. */
  #gather(): Handshake {
    if (this.#gathering !== undefined) return this.#gathering;
    const handshake = this.#newHandshake();
    this.#gathering = handshake;
    queueMicrotask(() => {
      this.#gathering = undefined;
      handshake.begin();
    });
    return handshake;
  }

  /** Workers read what they are sent in its order, so what was asked before is done before. */
  #shakeAll(): Promise<unknown> {
    const handshake = this.#newHandshake();
    this.#holders.fill(0);
    for (const worker of this.#holding) handshake.addAll(worker);
    this.#holding.clear();
    const all = Promise.all([...this.#shaking.values(), ...this.#shakingAll, handshake.done]);
    handshake.begin();
    this.#shakingAll.add(all);
    const forget = (): void => {
      this.#shakingAll.delete(all);
    };
    all.then(forget, forget);
    return all;
  }

  #newHandshake(): Handshake {
    return new Handshake(this.#limits, (worker, buckets) => this.#stillHolds(worker, buckets));
  }

  /** It did not answer, so it is asked again by the next change. */
  #stillHolds(worker: RecordHolder, buckets: readonly number[] | undefined): void {
    if (!this.#workers.has(worker)) return;
    this.#holding.add(worker);
    if (buckets === undefined) {
      for (let bucket = 0; bucket < KEY_BUCKETS; bucket++) this.#addBit(worker, bucket);
    } else {
      for (const bucket of buckets) this.#addBit(worker, bucket);
    }
  }

  #addBit({ bit }: RecordHolder, bucket: number): void {
    this.#holders[bucket] = (this.#holders[bucket] as number) | bit;
  }
}

function bucketsOf(keys: readonly string[]): readonly number[] {
  const [first] = keys;
  if (first === undefined) return [];
  if (keys.length === 1) return [bucketOf(first)];
  return [...new Set(keys.map(bucketOf))];
}
