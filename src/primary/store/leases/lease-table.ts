/**
 * Who may make which missing entry, and who waits for it: the leases of the store, in the primary's
 * memory. A lease is held for its time; its token is good for longer, see watched-keys.ts.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import type { LeaseCounts } from '../../../protocol/lease-counts.ts';
import type { MissCode } from '../../../protocol/miss.ts';
import type { Purges } from '../purges/purges.ts';
import { LeaseTokens } from './lease-tokens.ts';
import { WATCH_LIMITS, WatchedKeys, type WatchLimits } from './watched-keys.ts';

export interface LeaseLimits extends WatchLimits {
  readonly leasesMax: number;
  readonly waitersMax: number;
}

export const LEASE_LIMITS: LeaseLimits = {
  ...WATCH_LIMITS,
  leasesMax: 10_000,
  waitersMax: 16_384,
};

/** Leases that ended are looked for this often while there are any. */
const EXPIRE_EVERY_MS = 50;
/** When to ask again where no lease says it. */
const RETRY_MS = 1000;

/** Where the waiters of one worker are. */
export interface Waiting {
  /** The number of the worker; no two have the same. */
  readonly place: number;
  /** The waiter has become the holder. */
  granted(key: string, waiter: number, token: string): void;
  /** All who wait there for `key` may go: its entry came, or, without a record, nothing more will. */
  settled(key: string, record: Buffer | undefined): void;
}

export interface Waiter {
  readonly at: Waiting;
  /** Its number there. */
  readonly id: number;
}

/** What was found where a lease is asked for. */
export interface LeasedFor {
  /** Why there was nothing to read; undefined for an entry that is stale. */
  readonly miss: MissCode | undefined;
  /** The tags of that entry. */
  readonly tags: readonly string[];
}

/** What a caller for a missing entry gets: the lease, or when to ask again. */
export interface Acquired {
  readonly token: string | undefined;
  readonly retryAfterMs: number;
  readonly isWaiting: boolean;
}

interface QueuedWaiter extends Waiter {
  readonly leaseMs: number;
}

interface Lease extends LeasedFor {
  readonly token: string;
  readonly version: number;
  readonly givenAtMs: number;
  readonly endsAtMs: number;
}

/** A key that is leased, and who waits for it, by number at each place, in the order of coming. */
interface Slot {
  lease: Lease;
  readonly waiting: Map<string, QueuedWaiter>;
}

/** What one batch of the write lane has changed. */
export interface Changes {
  /** Key -> its new record; null where it was deleted, or would have been. */
  readonly keys: ReadonlyMap<string, Buffer | null>;
  readonly hasPurges: boolean;
  /** The newest version that has been given. */
  readonly version: number;
}

export class LeaseTable {
  readonly #limits: LeaseLimits;
  readonly #now: () => number;
  readonly #purges: Purges;
  readonly #tokens = new LeaseTokens();
  readonly #watched: WatchedKeys;
  readonly #slots = new Map<string, Slot>();
  #waiters = 0;
  /** Every change up to this version can be seen. */
  #version: number;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #counts = { given: 0, handedOver: 0, lost: 0, refused: 0 };

  /** `purges` are those of the store that are not worked off, `version` the newest it has given. */
  constructor(
    purges: Purges,
    version: number,
    now: () => number = Date.now,
    limits: LeaseLimits = LEASE_LIMITS,
  ) {
    this.#purges = purges;
    this.#version = version;
    this.#now = now;
    this.#limits = limits;
    this.#watched = new WatchedKeys(purges, limits);
  }

  /** The time by which leases end, Unix milliseconds. */
  get nowMs(): number {
    return this.#now();
  }

  get counts(): LeaseCounts {
    return { held: this.#slots.size, waiting: this.#waiters, ...this.#counts };
  }

  /**
   * Why there is nothing to read, where a lease says it: while it is held, that stays so. Undefined where
   * the index must be asked.
   */
  missOf(key: string): MissCode | undefined {
    return this.#current(key)?.lease.miss;
  }

  /**
   * Asks for the lease of a key. Who cannot have it waits as `waiter`, where there is one. REQUIRES:
   * nothing has been published since the key was looked up.
   */
  acquire(key: string, leaseMs: number, found: LeasedFor, waiter?: Waiter): Acquired {
    const slot = this.#current(key);
    if (slot === undefined) {
      const isFull = this.#slots.size >= this.#limits.leasesMax;
      if (isFull || this.#isClosed) return this.#refused(RETRY_MS);
      const lease = this.#give(key, leaseMs, found);
      this.#slots.set(key, { lease, waiting: new Map() });
      this.#watchTime();
      return { token: lease.token, retryAfterMs: 0, isWaiting: false };
    }
    const retryAfterMs = slot.lease.endsAtMs - this.#now();
    if (waiter === undefined) return { token: undefined, retryAfterMs, isWaiting: false };
    if (this.#waiters >= this.#limits.waitersMax) return this.#refused(retryAfterMs);
    slot.waiting.set(nameOf(waiter), { ...waiter, leaseMs });
    this.#waiters += 1;
    return { token: undefined, retryAfterMs, isWaiting: true };
  }

  #refused(retryAfterMs: number): Acquired {
    this.#counts.refused += 1;
    return { token: undefined, retryAfterMs, isWaiting: false };
  }

  /** A waiter has gone. */
  leave(key: string, waiter: Waiter): void {
    if (this.#slots.get(key)?.waiting.delete(nameOf(waiter)) === true) this.#waiters -= 1;
  }

  /** A worker has gone with all its waiters. Leases stay: their holders are clients. */
  leaveAll(at: Waiting): void {
    for (const { waiting } of this.#slots.values()) {
      for (const [name, waiter] of waiting) {
        if (waiter.at !== at) continue;
        waiting.delete(name);
        this.#waiters -= 1;
      }
    }
  }

  /** The holder gives up, and the next takes over; false for who does not hold the lease. */
  release(key: string, token: string): boolean {
    const slot = this.#current(key);
    if (slot === undefined || slot.lease.token !== token) return false;
    this.#handOver(key, slot);
    return true;
  }

  /**
   * Whether this is a token of `key`, given since the key was last written, deleted or purged; `tags` are
   * those of the entry that is to be written with it.
   */
  isGood(key: string, tags: readonly string[], token: string): boolean {
    const claim = this.#tokens.read(key, token);
    return claim !== undefined && this.#watched.isUnchangedSince(key, claim.version, tags);
  }

  /** A write with this token has failed. Where it was too late for it, who waits takes over. */
  noteRefused(key: string, token: string, error: unknown): void {
    if (!(error instanceof BigCacheError) || error.code !== 'LEASE_LOST') return;
    this.#counts.lost += 1;
    this.release(key, token);
  }

  /** Takes over what a batch has changed. REQUIRES: it can be read, and its purges are pending. */
  published({ keys, hasPurges, version }: Changes): void {
    this.#version = version;
    // A lease is watched as long as it is held, unless there are very many.
    if (this.#watched.size === 0 && this.#slots.size === 0) return;
    for (const [key, record] of keys) this.#changed(key, record);
    if (hasPurges) this.#endPurged();
  }

  #changed(key: string, record: Buffer | null): void {
    this.#watched.unwatch(key);
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    if (record === null) this.#handOver(key, slot);
    else this.#settle(key, slot, record);
  }

  /** One look at each lease, however many purges there are: their holders' writes would be refused. */
  #endPurged(): void {
    for (const [key, slot] of this.#slots) {
      const { version, tags } = slot.lease;
      if (this.#purges.isTakenSince(key, tags, version)) this.#handOver(key, slot);
    }
  }

  /** Ends the leases whose time is over; called by a timer of its own. */
  expire(): void {
    for (const [key, slot] of this.#slots) {
      if (this.#isOver(slot.lease)) this.#handOver(key, slot);
    }
  }

  /** Ends everything: the store is closed. */
  close(): void {
    this.#isClosed = true;
    for (const [key, slot] of this.#slots) this.#settle(key, slot, undefined);
    this.#stopTime();
  }

  /** The slot of a lease that is held, after one whose time is over has been handed over. */
  #current(key: string): Slot | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined || !this.#isOver(slot.lease)) return slot;
    this.#handOver(key, slot);
    return this.#slots.get(key);
  }

  /** A clock that was set back must not make a lease longer than it was asked for. */
  #isOver({ givenAtMs, endsAtMs }: Lease): boolean {
    const nowMs = this.#now();
    return nowMs >= endsAtMs || nowMs < givenAtMs;
  }

  #give(key: string, leaseMs: number, { miss, tags }: LeasedFor): Lease {
    const givenAtMs = this.#now();
    const version = this.#version;
    this.#watched.watch(key, version, tags);
    this.#counts.given += 1;
    const token = this.#tokens.make(key, { version, givenAtMs });
    return { token, version, givenAtMs, endsAtMs: givenAtMs + leaseMs, miss, tags };
  }

  /** Gives the lease to who has waited longest, or ends it. */
  #handOver(key: string, slot: Slot): void {
    const [next] = slot.waiting.values();
    if (next === undefined) {
      this.#end(key);
      return;
    }
    this.leave(key, next);
    slot.lease = this.#give(key, next.leaseMs, slot.lease);
    this.#counts.handedOver += 1;
    next.at.granted(key, next.id, slot.lease.token);
  }

  /** Tells each place once, however many wait there. */
  #settle(key: string, slot: Slot, record: Buffer | undefined): void {
    this.#end(key);
    this.#waiters -= slot.waiting.size;
    const places = new Set<Waiting>();
    for (const { at } of slot.waiting.values()) places.add(at);
    for (const at of places) at.settled(key, record);
  }

  #end(key: string): void {
    this.#slots.delete(key);
    if (this.#slots.size === 0) this.#stopTime();
  }

  #watchTime(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.expire(), EXPIRE_EVERY_MS);
    this.#timer.unref();
  }

  #stopTime(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function nameOf({ at, id }: Waiter): string {
  return `${at.place}/${id}`;
}
