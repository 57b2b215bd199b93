/**
 * The hand: goes round the entries in the background and has removed what is purged or has expired.
 * Purges take effect without it, at the moment they are committed; it only gives their space back.
 */
import type { Logger } from 'pino';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import { entryRange, type KeyRange } from '../index/index-keys.ts';
import type { Purge } from '../purges.ts';

export interface HandOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'scanEntries'>;
  readonly indexPath: string;
  readonly log: Logger;
  readonly now: () => number;
  /** Pause between two rounds that look for what has expired. */
  readonly roundPauseMs?: number;
}

/** An expired entry stays this long, so that a 404 can say "expired". */
const EXPIRED_GRACE_MS = 60_000;
const ROUND_PAUSE_MS = 60_000;
const ENTRIES_PER_CHUNK = 4096;
/** Bounds a round in the background to about 40,000 entries per second. */
const CHUNK_PAUSE_MS = 100;
/** Removals in one operation of the write lane, so that writes wait for few of them. */
const REMOVALS_PER_OPERATION = 512;
const RETRY_MS = 1000;
/** An index that takes no writes stays so until it is opened again. */
const RETRY_AFTER_FAILURE_MS = 60_000;

export class Hand {
  readonly #options: HandOptions;
  readonly #roundPauseMs: number;
  readonly #waiters = new Map<number, (() => void)[]>();
  /** Where the round in the background goes on; undefined between two rounds. */
  #roundAt: Buffer | undefined;
  #nextRoundAtMs: number;
  #wake: () => void = () => undefined;
  #isAwake = false;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(options: HandOptions) {
    this.#options = options;
    this.#roundPauseMs = options.roundPauseMs ?? ROUND_PAUSE_MS;
    this.#nextRoundAtMs = options.now() + this.#roundPauseMs;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the chunk under way is done; what was not finished goes on after the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wakeUp();
    await this.#running;
    this.#releaseWaiters();
  }

  /**
   * Resolves when the purge is worked off; or when that cannot be now, since the hand stops or the
   * index takes no writes: then the purge is still pending.
   */
  workOff(purge: Purge): Promise<void> {
    if (this.#isStopped || this.#options.store.failure !== undefined) return Promise.resolve();
    const done = new Promise<void>((resolve) => {
      const waiters = this.#waiters.get(purge.version);
      if (waiters === undefined) this.#waiters.set(purge.version, [resolve]);
      else waiters.push(resolve);
    });
    this.#wakeUp();
    return done;
  }

  #releaseWaiters(): void {
    for (const waiters of this.#waiters.values()) for (const resolve of waiters) resolve();
    this.#waiters.clear();
  }

  #wakeUp(): void {
    this.#isAwake = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#step();
      } catch (error) {
        if (this.#isStopped) return;
        this.#options.log.error({ err: error }, 'the hand could not go on; it tries again');
        const isFailed = this.#options.store.failure !== undefined;
        if (isFailed) this.#releaseWaiters();
        await this.#sleep(isFailed ? RETRY_AFTER_FAILURE_MS : RETRY_MS);
      }
    }
  }

  async #step(): Promise<void> {
    const oldest = this.#options.store.pendingPurges[0];
    if (oldest !== undefined) {
      await this.#workOffPass(oldest);
    } else if (this.#roundAt !== undefined || this.#options.now() >= this.#nextRoundAtMs) {
      await this.#roundChunk();
      await this.#sleep(CHUNK_PAUSE_MS);
    } else {
      await this.#sleep(Math.min(this.#nextRoundAtMs - this.#options.now(), this.#roundPauseMs));
    }
  }

  /** One pass over the range of a purge finishes all older purges inside that range with it. */
  async #workOffPass(purge: Purge): Promise<void> {
    const { store } = this.#options;
    // A purge that is committed while the pass is under way was not looked for from its begin.
    const covered = store.pendingPurges
      .filter((other) => other.prefix.startsWith(purge.prefix))
      .map((other) => other.version);
    const range = entryRange(purge.prefix);
    for (let at: Buffer | undefined = range.gte; at !== undefined && !this.#isStopped; ) {
      at = await this.#chunk({ gte: at, lt: range.lt });
    }
    if (this.#isStopped) return;
    await store.finishPurges(covered);
    for (const version of covered) {
      for (const resolve of this.#waiters.get(version) ?? []) resolve();
      this.#waiters.delete(version);
    }
  }

  async #roundChunk(): Promise<void> {
    const range = entryRange('');
    this.#roundAt = await this.#chunk({ gte: this.#roundAt ?? range.gte, lt: range.lt });
    if (this.#roundAt === undefined) {
      this.#nextRoundAtMs = this.#options.now() + this.#roundPauseMs;
    }
  }

  /** Scans one chunk and has removed what it finds. Answers where to go on. */
  async #chunk(range: KeyRange): Promise<Buffer | undefined> {
    const { store, jobs, indexPath, now } = this.#options;
    const { dead, next } = await jobs.scanEntries({
      indexPath,
      gte: range.gte,
      lt: range.lt,
      entriesMax: ENTRIES_PER_CHUNK,
      expiredBeforeMs: now() - EXPIRED_GRACE_MS,
      clearVersion: store.clearVersion,
      purges: store.pendingPurges.map(({ version, prefix }) => ({ version, prefix })),
    });
    for (let from = 0; from < dead.length; from += REMOVALS_PER_OPERATION) {
      await store.removeSeen(dead.slice(from, from + REMOVALS_PER_OPERATION));
    }
    return next === undefined ? undefined : Buffer.from(next);
  }

  #sleep(ms: number): Promise<void> {
    if (this.#isAwake) {
      this.#isAwake = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.max(0, ms));
      this.#wake = done;
      const hand = this;
      function done(): void {
        clearTimeout(timer);
        hand.#wake = () => undefined;
        hand.#isAwake = false;
        resolve();
      }
    });
  }
}
