/**
 * The hand: goes round the entries in the background and has removed what is purged or has expired.
 * Purges take effect without it, at the moment they are committed; it only gives their space back.
 */
import type { Logger } from 'pino';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import type { SeenRecord } from '../operations.ts';
import type { Purge } from '../purges/purges.ts';
import { decodeHandPosition, encodeHandPosition } from './hand-position.ts';
import { type HandProgress, progressOf } from './hand-progress.ts';
import { Pass } from './pass.ts';
import { PurgeWaiters } from './purge-waiters.ts';
import { type Clock, RateLimit, SYSTEM_CLOCK } from './rate-limit.ts';

export interface HandOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'scanEntries'>;
  readonly indexPath: string;
  /** What passes look at in a second at most, and rounds as much again. */
  readonly entriesPerSecond: number;
  readonly log: Logger;
  readonly now: () => number;
  readonly clock?: Clock;
  /** Pause between two rounds that look for what has expired. */
  readonly roundPauseMs?: number;
}

/** An entry stays this long after its last use, so that a 404 can say "expired". */
const EXPIRED_GRACE_MS = 60_000;
const ROUND_PAUSE_MS = 30_000;
const ENTRIES_PER_CHUNK_MAX = 4096;
/** At a low rate chunks are smaller, so that the work is spread evenly. */
const CHUNKS_PER_SECOND = 10;
/**
 * Removals in one operation of the write lane. The event loop is busy with each for some 20 us, and reads
 * wait for that: with 512 the p99 of reads was ten times that of an idle server.
 */
const REMOVALS_PER_OPERATION = 32;
/** Purges that one operation forgets; 10,000 at once would stop the event loop for a while. */
const PURGES_PER_OPERATION = 512;
/** After `kill -9` so much is looked at again; an orderly stop saves the position by itself. */
const CHUNKS_PER_SAVE = 32;
/** A pass that removed more is worth a line in everybody's log. */
const REMOVED_WORTH_TELLING = 100_000;
/** How often a pass that takes long says how far it is. */
const PROGRESS_EVERY_MS = 10_000;
/** A timer is no finer. */
const WAIT_MIN_MS = 2;
const RETRY_MS = 1000;
/** An index that takes no writes stays so until it is opened again. */
const RETRY_AFTER_FAILURE_MS = 60_000;

export class Hand {
  readonly #options: HandOptions;
  readonly #clock: Clock;
  readonly #roundPauseMs: number;
  readonly #entriesPerChunk: number;
  readonly #passLimit: RateLimit;
  /** Apart from that of passes, so that no prefix delete waits for what a round has done. */
  readonly #roundLimit: RateLimit;
  readonly #waiters = new PurgeWaiters();
  /** What has been done since the store was opened. */
  readonly counts = {
    handScanned: 0,
    handRemoved: 0,
    handRounds: 0,
    handPasses: 0,
    purgesFinished: 0,
  };
  #purging: Pass | undefined;
  #round: Pass | undefined;
  #nextRoundAtMs: number;
  /** After each pass a round may do a chunk: else steady purges would keep it from ever ending. */
  #isRoundsTurn = false;
  #chunksSinceSave = 0;
  #progressToldAtMs = 0;
  #saved: Buffer;
  #waking = new AbortController();
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(options: HandOptions) {
    this.#options = options;
    const { store, now, entriesPerSecond } = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#roundPauseMs = options.roundPauseMs ?? ROUND_PAUSE_MS;
    this.#entriesPerChunk = Math.min(
      ENTRIES_PER_CHUNK_MAX,
      Math.ceil(entriesPerSecond / CHUNKS_PER_SECOND),
    );
    this.#passLimit = new RateLimit(entriesPerSecond, this.#clock);
    this.#roundLimit = new RateLimit(entriesPerSecond, this.#clock);
    this.#nextRoundAtMs = now() + this.#roundPauseMs;
    const { purging, round } = decodeHandPosition(store.handPosition);
    this.#purging = purging && Pass.resumed(purging, store.pendingPurges);
    this.#round = round && Pass.resumed(round, []);
    this.#saved = this.#position;
  }

  get progress(): HandProgress {
    return progressOf(this.#purging ?? this.#round);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Resolves when the chunk under way is done and the position is saved; what was not finished goes
   * on after the next start.
   */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#waking.abort();
    await this.#running;
    this.#waiters.releaseAll();
  }

  /**
   * Resolves when the purge is worked off; or when that cannot be now, since the hand stops or the
   * index takes no writes: then the purge is still pending.
   */
  workOff(purge: Purge): Promise<void> {
    if (this.#isStopped || this.#options.store.failure !== undefined) return Promise.resolve();
    const done = this.#waiters.waitFor(purge.version);
    this.#waking.abort();
    return done;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#step();
      } catch (error) {
        if (this.#isStopped) break;
        this.#options.log.error({ err: error }, 'the hand could not go on; it tries again');
        const isFailed = this.#options.store.failure !== undefined;
        if (isFailed) this.#waiters.releaseAll();
        await this.#sleep(isFailed ? RETRY_AFTER_FAILURE_MS : RETRY_MS);
      }
    }
    await this.#saveAtEnd();
  }

  async #step(): Promise<void> {
    const pass = this.#choose();
    if (pass === undefined) {
      return this.#sleep(Math.min(this.#nextRoundAtMs - this.#options.now(), this.#roundPauseMs));
    }
    const limit = pass.isRound ? this.#roundLimit : this.#passLimit;
    // A purge that comes meanwhile wakes the hand, and then it chooses again.
    if (limit.waitMs > 0) return this.#sleep(limit.waitMs);
    const { scanned, removed } = pass;
    if (!pass.isDone) await this.#chunk(pass, limit);
    this.counts.handScanned += pass.scanned - scanned;
    this.counts.handRemoved += pass.removed - removed;
    if (pass.isDone) await this.#finish(pass);
    else if (this.#chunksSinceSave >= CHUNKS_PER_SAVE) await this.#save();
  }

  /** Purges go first. Nothing is to be done when it answers undefined. */
  #choose(): Pass | undefined {
    const { store, now } = this.#options;
    if (this.#purging === undefined) {
      const purges = store.pendingPurges;
      if (purges.length > 0) this.#purging = Pass.over(purges, now());
    }
    if (now() >= this.#nextRoundAtMs) this.#round ??= Pass.round(now());
    const isRoundsTurn = this.#isRoundsTurn && this.#roundLimit.waitMs === 0;
    this.#isRoundsTurn = false;
    return isRoundsTurn ? (this.#round ?? this.#purging) : (this.#purging ?? this.#round);
  }

  /** Scans one chunk and has removed what it finds. */
  async #chunk(pass: Pass, limit: RateLimit): Promise<void> {
    const { store, jobs, indexPath, now } = this.#options;
    const { dead, stale, ...scanned } = await jobs.scanEntries({
      indexPath,
      ...pass.next(),
      entriesMax: this.#entriesPerChunk,
      expiredBeforeMs: now() - EXPIRED_GRACE_MS,
      clearVersion: store.clearVersion,
    });
    const removed = await this.#settle(dead, limit, (some) => store.removeSeen(some));
    await this.#settle(stale, limit, (some) => store.soften(some));
    limit.spend(scanned.scanned - dead.length - stale.length);
    pass.advance(scanned, removed);
    this.#chunksSinceSave += 1;
    this.#tellProgress(pass);
  }

  /** Has all of it changed, a few at a time; answers how many were. */
  async #settle(
    seen: readonly SeenRecord[],
    limit: RateLimit,
    change: (some: readonly SeenRecord[]) => Promise<number>,
  ): Promise<number> {
    let changed = 0;
    for (let from = 0; from < seen.length; from += REMOVALS_PER_OPERATION) {
      const some = seen.slice(from, from + REMOVALS_PER_OPERATION);
      changed += await change(some);
      limit.spend(some.length);
      // Evenly, since reads wait for each operation.
      if (limit.waitMs >= WAIT_MIN_MS) await this.#sleep(limit.waitMs);
    }
    return changed;
  }

  /** A pass that is soon done is not worth a line. */
  #tellProgress(pass: Pass): void {
    const { now, log } = this.#options;
    const sinceMs = Math.max(pass.startedAtMs, this.#progressToldAtMs);
    if (pass.isDone || now() - sinceMs < PROGRESS_EVERY_MS) return;
    this.#progressToldAtMs = now();
    const { state, share, ...figures } = progressOf(pass);
    const what = state === 'round' ? 'looking for expired entries' : 'working purges off';
    log.info({ ...figures, percent: Math.round(100 * share) }, what);
  }

  async #finish(pass: Pass): Promise<void> {
    const { store, now, log } = this.#options;
    if (pass.isRound) {
      this.#round = undefined;
      this.counts.handRounds += 1;
      this.#nextRoundAtMs = now() + this.#roundPauseMs;
    } else {
      const { covered } = pass;
      for (let from = 0; from < covered.length; from += PURGES_PER_OPERATION) {
        await store.finishPurges(covered.slice(from, from + PURGES_PER_OPERATION));
      }
      this.#purging = undefined;
      this.#isRoundsTurn = true;
      this.counts.handPasses += 1;
      this.counts.purgesFinished += covered.length;
      this.#waiters.release(pass.covered);
    }
    const { scanned, removed, covered } = pass;
    const figures = { purges: covered.length, scanned, removed, tookMs: now() - pass.startedAtMs };
    const what = pass.isRound ? 'expired entries removed' : 'purges worked off';
    if (removed > REMOVED_WORTH_TELLING) log.info(figures, what);
    else log.debug(figures, what);
    // What is left of a pass stands for no purge any more; a round would be taken up again.
    if (pass.isRound) await this.#save();
  }

  get #position(): Buffer {
    return encodeHandPosition({
      purging: this.#purging?.position,
      round: this.#round?.position,
    });
  }

  /**
   * Not synced: it stands behind the removals in LevelDB's log, so whatever ends the process loses it
   * before them.
   */
  async #save(): Promise<void> {
    const position = this.#position;
    this.#chunksSinceSave = 0;
    if (position.equals(this.#saved)) return;
    await this.#options.store.saveHandPosition(position);
    this.#saved = position;
  }

  async #saveAtEnd(): Promise<void> {
    if (this.#options.store.failure !== undefined) return;
    try {
      await this.#save();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the hand could not save its position');
    }
  }

  #sleep(ms: number): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#waking = new AbortController();
    return this.#clock.sleep(Math.max(0, ms), this.#waking.signal);
  }
}
