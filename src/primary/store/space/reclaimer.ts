/**
 * Gives space back, in the primary: copies what is live out of segments that hold much garbage, and
 * where room is short evicts from the oldest segment what deserves no second chance. The copying is
 * done by a job thread, every change by the write lane; files are unlinked by DeadSegments alone.
 */
import type { Logger } from 'pino';
import type { EntryStore } from '../entry-store.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';
import type { Admission } from './admission.ts';
import type { DeadSegments } from './dead-segments.ts';
import type { SegmentReclaim } from './segment-reclaim.ts';
import type { Space } from './space.ts';
import { Sweep } from './sweep.ts';
import { chooseVictim, type Victim } from './victim.ts';

export interface ReclaimerOptions {
  readonly store: EntryStore;
  readonly space: Space;
  readonly admission: Admission;
  readonly deadSegments: DeadSegments;
  readonly reclaim: SegmentReclaim;
  /** Room that is made before anybody asks for it. */
  readonly aheadBytes: number;
  readonly garbagePercent: number;
  /** Segments with records whose files were found missing. */
  readonly lost: readonly number[];
  readonly log: Logger;
}

/** Room is measured this often while nobody waits for it. */
const MEASURE_EVERY_MS = 250;
const RETRY_MS = 1000;

export class Reclaimer {
  readonly #options: ReclaimerOptions;
  /** Segments whose counters and whose walk disagree: kept, for a person to look at. */
  readonly #stuck = new Set<number>();
  readonly #sweep = new Sweep();
  #wake: () => void = () => undefined;
  #isStopped = false;
  #running: Promise<void> | undefined;
  /** Bytes that were spared whole, less those that were given back since. */
  #renewedBytes = 0;
  /** Segments whose files are missing, and whose records are still to be removed. */
  readonly #lost: number[];

  constructor(options: ReclaimerOptions) {
    this.#options = options;
    this.#lost = [...options.lost];
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the batch under way is settled. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.reclaim.stop();
    this.#wake();
    await this.#running;
    await this.#options.reclaim.close();
  }

  /** Somebody waits for room. */
  wake(): void {
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        if (await this.#step()) continue;
        await this.#sleep(MEASURE_EVERY_MS);
      } catch (error) {
        if (this.#isStopped) return;
        this.#options.log.error({ err: error }, 'reclaiming could not go on; it tries again');
        await this.#sleep(RETRY_MS);
      }
    }
  }

  /** Reclaims one segment, where one should be; false when there is nothing to do. */
  async #step(): Promise<boolean> {
    const { space, admission, store, deadSegments } = this.#options;
    await space.measure();
    admission.roomMayHaveCome();
    // What is to be moved or evicted is written to the index, which takes no writes at present.
    if (this.#isStopped || store.failure !== undefined) return false;
    const lost = this.#lost.pop();
    if (lost !== undefined) {
      await this.#options.reclaim.findRest(lost, true);
      return true;
    }
    const isShort = this.#isShort();
    if (isShort && (await deadSegments.sweep())) return true;
    const victim = chooseVictim(store.segments.values(), {
      isShort,
      isDiskShort: space.missingOnDisk(0) > 0,
      garbagePercent: this.#options.garbagePercent,
      except: this.#stuck,
      sweep: this.#sweep,
    });
    if (victim === undefined) return false;
    await this.#reclaim(victim);
    return true;
  }

  /** Whether grants wait for room, or soon would. */
  #isShort(): boolean {
    const { admission, aheadBytes } = this.#options;
    return admission.missingBytes + aheadBytes > 0;
  }

  async #reclaim({ stats, keep }: Victim): Promise<void> {
    const { reclaim, deadSegments, log, store } = this.#options;
    const startedAt = performance.now();
    const done = await reclaim.run(stats, keep, () => this.#isShort());
    if (!done.isComplete) return;
    if (done.renew !== undefined && keep === 'all') {
      this.#stuck.add(stats.id);
      return;
    }
    if (done.renew !== undefined) {
      await this.#renewOrEvict(stats, done.renew);
      return;
    }
    const left = store.segments.get(stats.id)?.records ?? 0;
    if (left > 0 && !(await reclaim.findRest(stats.id, done.end < stats.bytesWritten))) {
      this.#stuck.add(stats.id);
      log.error({ segment: stats.id, records: left }, 'a segment cannot be reclaimed; it is kept');
    }
    await deadSegments.sweep();
    const { copiedBytes, evicted } = done;
    this.#renewedBytes = Math.max(0, this.#renewedBytes - (stats.fileBytes - copiedBytes));
    const tookMs = Math.round(performance.now() - startedAt);
    log.debug({ segment: stats.id, keep, copiedBytes, evicted, tookMs }, 'a segment was reclaimed');
  }

  /**
   * A body that stands alone is not copied for its second chance: the sweep passes it by. At most as
   * much is spared in this way as is evicted, so that room is always made.
   */
  async #renewOrEvict(stats: Readonly<SegmentStats>, key: string): Promise<void> {
    const { store, reclaim } = this.#options;
    if (this.#renewedBytes === 0) {
      this.#renewedBytes += stats.fileBytes;
      store.passBy(key);
      return;
    }
    const before = store.segments.get(stats.id);
    if (before?.state !== SegmentState.sealed) return;
    const done = await reclaim.run(stats, 'nothing', () => true);
    this.#renewedBytes = Math.max(0, this.#renewedBytes - stats.fileBytes);
    if (done.isComplete) await this.#options.deadSegments.sweep();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
