/**
 * When what was acknowledged is on disk, in the primary. With `interval`, a pass follows the last one
 * so soon that nothing older than a second is lost with the power; with `always`, the write lane
 * waits for the disk before it acknowledges; with `none`, only what the order of files needs is
 * synced.
 *
 * A pass syncs segments first and the logs of the index after. So a record that is on disk because of
 * it points to a body that is too; a record that the system wrote back by itself may point to a body
 * that is not there yet, which its checksums tell.
 */
import type { Logger } from 'pino';
import type { Durability as DurabilityMode } from '../../protocol/config.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import { toStoreError } from '../../segments/faults.ts';
import type { Barrier } from './barrier.ts';
import type { EntryStore } from './entry-store.ts';
import { IndexLogs } from './index/index-logs.ts';
import { SegmentState } from './segment-stats.ts';
import { SegmentSyncs } from './segment-syncs.ts';
import { SyncAges } from './sync-ages.ts';

export interface DurabilityOptions {
  readonly mode: DurabilityMode;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly log: Logger;
  /** Tells every worker to write nothing more to a segment. */
  readonly onRetire: (segment: number) => void;
  readonly now?: () => number;
}

type SyncedStore = Pick<EntryStore, 'segments' | 'sealSegments' | 'fail'>;

/** From the begin of a pass to that of the next: what a pass itself takes comes on top. */
export const PASS_EVERY_MS = 400;
/** What is acknowledged is on disk after this time, while the disk keeps up. */
export const PROMISE_MS = 1000;
/** So long after a failed sync of a segment GET /readyz says so. */
export const FAILURE_SHOWN_MS = 30_000;
/** A slow disk is logged this often. */
const SLOW_LOGGED_EVERY_MS = 60_000;
/** Segments of the last run that are synced, and held open, at a time. */
const INHERITED_AT_A_TIME = 16;

export class Durability implements Barrier {
  readonly syncsEachBatch: boolean;
  readonly #options: DurabilityOptions;
  readonly #now: () => number;
  readonly #segments: SegmentSyncs;
  readonly #logs: IndexLogs;
  #store: SyncedStore | undefined;
  /** Segments that batches since the last pass point into. */
  #written = new Set<number>();
  #isPassDue = false;
  /** Whether the pass that is under way, or the last one, could not sync something. */
  #mustRepeat = false;
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<void> = Promise.resolve();
  #inheriting: Promise<void> = Promise.resolve();
  #isStopped = false;
  #failure: { readonly error: Error; readonly atMs: number } | undefined;
  /** Why passes have not succeeded, and since when. */
  #overdue: { readonly error: Error; readonly sinceMs: number } | undefined;
  #slowLoggedAtMs = Number.NEGATIVE_INFINITY;
  readonly #ages = new SyncAges();
  /** What has been done since the store was opened. */
  readonly counts = { syncFailures: 0 };

  constructor(options: DurabilityOptions) {
    const { mode, indexPath, segmentsPath } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.syncsEachBatch = mode === 'always';
    this.#logs = new IndexLogs(indexPath);
    this.#segments = new SegmentSyncs({
      segmentsPath,
      onFailure: (segment, error) => this.#segmentFailed(segment, error),
    });
  }

  /**
   * What a sync of a segment failed with within the last 30 s, or what has kept passes from being made
   * for longer than is promised.
   */
  get failure(): Error | undefined {
    const overdue = this.#overdue;
    if (overdue !== undefined && this.#now() - overdue.sinceMs > PROMISE_MS) return overdue.error;
    const failed = this.#failure;
    if (failed === undefined || this.#now() - failed.atMs > FAILURE_SHOWN_MS) return undefined;
    return failed.error;
  }

  /** How long ago all was last on the disk, and since when something is not; 0 where that is not known. */
  get ages(): { readonly syncAgeMs: number; readonly unsyncedAgeMs: number } {
    return this.#ages.current;
  }

  syncBodies(segments: ReadonlySet<number>): Promise<ReadonlyMap<number, Error>> {
    return this.#segments.sync(segments);
  }

  async syncRotatedLogs(): Promise<void> {
    await this.#logs.syncRotated();
    if (this.syncsEachBatch) this.#ages.synced();
  }

  async syncLogs(): Promise<void> {
    try {
      await this.#logs.sync();
    } catch (error) {
      const { failure } = this.#logs;
      if (failure !== undefined) this.#store?.fail(failure);
      throw error;
    }
  }

  wrote(segments: ReadonlySet<number>): void {
    if (this.#options.mode !== 'interval') return;
    for (const segment of segments) this.#written.add(segment);
    this.#isPassDue = true;
    this.#ages.wrote();
  }

  /** Begins to keep the promise for the store that was opened with this barrier. */
  start(store: SyncedStore): void {
    this.#store = store;
    if (this.#options.mode === 'none') return;
    // The index was synced by its opening; the last run may not have come to its segments any more.
    const inherited = [...store.segments.keys()].sort((one, other) => other - one);
    this.#inheriting = this.#syncInherited(inherited);
    this.#schedule(PASS_EVERY_MS);
  }

  /** Syncs what is not synced yet, and closes all descriptors. REQUIRES: no batch follows. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#passing;
    await this.#inheriting;
    await this.#pass();
    await this.#segments.close();
    await this.#logs.close();
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      const beganAtMs = performance.now();
      this.#passing = this.#pass().then(() => {
        const tookMs = performance.now() - beganAtMs;
        this.#tellWhenSlow(tookMs);
        if (!this.#isStopped) this.#schedule(Math.max(0, PASS_EVERY_MS - tookMs));
      });
    }, delayMs);
    this.#timer.unref();
  }

  async #pass(): Promise<void> {
    if (this.#isPassDue) {
      const written = this.#written;
      this.#written = new Set();
      this.#isPassDue = false;
      this.#mustRepeat = false;
      this.#ages.begins();
      await this.#syncSegments(written);
      await this.#syncAllLogs();
      if (this.#mustRepeat || this.#logs.failure !== undefined) {
        this.#ages.failed();
      } else {
        this.#overdue = undefined;
        this.#ages.synced();
      }
    }
    await this.#segments.release((segment) => this.#isOpen(segment));
  }

  async #syncSegments(written: ReadonlySet<number>): Promise<void> {
    for (const [segment, error] of await this.#segments.sync(written)) {
      // A failed one was reported; one without a file was dropped, or is reported by its readers.
      if (this.#segments.hasFailed(segment) || isMissing(error)) continue;
      this.#tryAgain(error);
      this.#written.add(segment);
    }
  }

  async #syncAllLogs(): Promise<void> {
    try {
      await this.syncLogs();
    } catch (error) {
      if (this.#logs.failure === undefined) this.#tryAgain(error);
      else {
        this.counts.syncFailures += 1;
        this.#options.log.error({ err: error }, 'a log of the index cannot be synced');
      }
    }
  }

  #tryAgain(error: unknown): void {
    this.#isPassDue = true;
    this.#mustRepeat = true;
    this.counts.syncFailures += 1;
    if (this.#overdue !== undefined) return;
    this.#overdue = { error: toStoreError(error), sinceMs: this.#now() };
    this.#options.log.error({ err: error }, 'a file cannot be opened to be synced; it is retried');
  }

  /** The newest first: they are the likeliest not to be on disk yet. */
  async #syncInherited(segments: readonly number[]): Promise<void> {
    for (let from = 0; from < segments.length; from += INHERITED_AT_A_TIME) {
      if (this.#isStopped) return;
      await this.#segments.sync(segments.slice(from, from + INHERITED_AT_A_TIME));
      await this.#segments.release((segment) => this.#isOpen(segment));
    }
  }

  #isOpen(segment: number): boolean {
    return this.#store?.segments.get(segment)?.state === SegmentState.open;
  }

  #segmentFailed(segment: number, error: Error): void {
    const { log, onRetire } = this.#options;
    this.#failure = { error, atMs: this.#now() };
    this.counts.syncFailures += 1;
    log.error(
      { err: error, segment },
      'a segment cannot be synced; it is sealed, and what was written to it of late may be lost',
    );
    onRetire(segment);
    this.#store?.sealSegments([segment]).catch((reason: unknown) => {
      log.warn({ err: reason, segment }, 'a segment that cannot be synced stays open for now');
    });
  }

  #tellWhenSlow(tookMs: number): void {
    if (tookMs < PROMISE_MS - PASS_EVERY_MS) return;
    if (performance.now() - this.#slowLoggedAtMs < SLOW_LOGGED_EVERY_MS) return;
    this.#slowLoggedAtMs = performance.now();
    this.#options.log.warn(
      { tookMs: Math.round(tookMs) },
      'the disk is slow to sync; more than a second of writes may be lost with the power',
    );
  }
}

/** Whether a file was not there when it was to be opened. */
function isMissing(error: Error): boolean {
  const cause = error instanceof BigCacheError ? error.cause : error;
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}
