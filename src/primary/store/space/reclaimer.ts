/**
 * Gives space back, in the primary: copies what is live out of segments that hold much garbage, and
 * where room is short evicts from the oldest segment what deserves no second chance. The copying is
 * done by a job thread, every change by the write lane; files are unlinked by DeadSegments alone.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { segmentFileName } from '../../../segments/format.ts';
import { hasSecondName } from '../../directory/second-name.ts';
import type { EntryStore } from '../entry-store.ts';
import type { SegmentStats } from '../segment-stats.ts';
import type { Admission } from './admission.ts';
import type { DeadSegments } from './dead-segments.ts';
import type { LostSegments } from './lost-segments.ts';
import { Measuring } from './measuring.ts';
import type { Pins } from './pins.ts';
import type { Clock } from './rate-limit.ts';
import type { Reclaimed, SegmentReclaim } from './segment-reclaim.ts';
import { SetAside } from './set-aside.ts';
import type { Space } from './space.ts';
import { Sweep } from './sweep.ts';
import { chooseVictim, type Victim } from './victim.ts';

export interface ReclaimerOptions {
  readonly store: EntryStore;
  readonly space: Pick<Space, 'measure' | 'missingOnDisk'>;
  readonly admission: Pick<Admission, 'missingBytes' | 'missingInQuotaBytes' | 'roomMayHaveCome'>;
  readonly deadSegments: Pick<DeadSegments, 'sweep' | 'awaitedBytes'>;
  readonly reclaim: Pick<SegmentReclaim, 'run' | 'stop' | 'hurry' | 'close'>;
  readonly lost: LostSegments;
  readonly pins: Pins;
  readonly segmentsPath: string;
  /** Room that is made before anybody asks for it. */
  readonly aheadBytes: number;
  readonly garbagePercent: number;
  readonly log: Logger;
  readonly clock?: Pick<Clock, 'elapsedMs'>;
}

/** It looks this often whether there is something to do, while nobody waits for room. */
const LOOK_EVERY_MS = 250;
const RETRY_MS = 1000;

/** Whether records point into it, so that its file has to be there. */
function isNeeded(stats: Readonly<SegmentStats> | undefined): boolean {
  return stats !== undefined && stats.records > 0;
}

export class Reclaimer {
  readonly #options: ReclaimerOptions;
  readonly #measuring: Measuring;
  /** Segments with which something has failed a short while ago. */
  readonly #aside: SetAside;
  /** Segments that hold one body beside garbage; the body is too long to be copied. */
  readonly #lone = new Set<number>();
  readonly #sweep = new Sweep();
  /** What has been done since the store was opened. */
  readonly counts = { copiedBytes: 0, segmentsReclaimed: 0 };
  #wake: () => void = () => undefined;
  #isStopped = false;
  #running: Promise<void> | undefined;
  /** Bytes that were spared whole, less those that were given back since. */
  #renewedBytes = 0;
  /** Whether it was told that segments give no room since they have second names. */
  #hasToldOfLinks = false;

  constructor(options: ReclaimerOptions) {
    this.#options = options;
    this.#measuring = new Measuring(options);
    this.#aside = new SetAside(options.clock);
  }

  start(): void {
    this.#measuring.start();
    this.#running ??= this.#run();
  }

  /** Resolves when the batch under way is settled. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.reclaim.stop();
    this.#wake();
    await this.#running;
    await this.#measuring.stop();
    await this.#options.reclaim.close();
  }

  /** Somebody waits for room. */
  wake(): void {
    this.#options.reclaim.hurry();
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        if (await this.#step()) continue;
        await this.#sleep(LOOK_EVERY_MS);
      } catch (error) {
        if (this.#isStopped) return;
        this.#options.log.error({ err: error }, 'reclaiming could not go on; it tries again');
        await this.#sleep(RETRY_MS);
      }
    }
  }

  /** Reclaims one segment, where one should be; false when there is nothing to do. */
  async #step(): Promise<boolean> {
    const { store, deadSegments, lost } = this.#options;
    await this.#measuring.now();
    // What is to be moved or evicted is written to the index, which takes no writes at present.
    if (this.#isStopped || store.failure !== undefined) return false;
    // No file may be unlinked before the recount has ended, so whatever is evicted makes no room.
    if (!store.countsAreSure) return false;
    const isSearching = await lost.step();
    if (this.#isShort() && (await deadSegments.sweep())) return true;
    const victim = await this.#nextVictim();
    if (victim === undefined) return isSearching;
    try {
      await this.#reclaim(victim);
    } catch (error) {
      this.#aside.add(victim.stats.id);
      throw error;
    }
    return true;
  }

  /** Whether grants wait for room, or soon would. */
  #isShort(): boolean {
    const { admission, aheadBytes } = this.#options;
    return admission.missingBytes + aheadBytes > 0;
  }

  /**
   * Whether something must be evicted for that. What only waits to be unlinked is room on its way: for it
   * nothing more is evicted, however long the wait.
   */
  #mustEvict(): boolean {
    const { admission, aheadBytes, deadSegments } = this.#options;
    return admission.missingBytes + aheadBytes > deadSegments.awaitedBytes;
  }

  /** Those that would give no room are passed over, and left alone for a minute. */
  async #nextVictim(): Promise<Victim | undefined> {
    for (let victim = this.#choose(); victim !== undefined; victim = this.#choose()) {
      if (!(await this.#isEvictedInVain(victim))) {
        this.#hasToldOfLinks = false;
        return victim;
      }
      this.#aside.add(victim.stats.id);
    }
    return undefined;
  }

  /**
   * A backup on the same disk has second names of segments, by which their bytes stay there. The quota
   * counts none but ours: where it has enough, and the disk alone is short, they are not evicted.
   */
  async #isEvictedInVain({ stats, keep }: Victim): Promise<boolean> {
    const { admission, aheadBytes, deadSegments, segmentsPath, log } = this.#options;
    if (keep === 'all') return false;
    if (admission.missingInQuotaBytes + aheadBytes > deadSegments.awaitedBytes) return false;
    if (!(await hasSecondName(join(segmentsPath, segmentFileName(stats.id))))) return false;
    if (!this.#hasToldOfLinks) {
      log.warn(
        { segment: stats.id },
        'the disk is short of room, and segments that a backup on it has by a second name give none',
      );
    }
    this.#hasToldOfLinks = true;
    return true;
  }

  #choose(): Victim | undefined {
    const { store, space, pins, lost, garbagePercent } = this.#options;
    return chooseVictim(store.segments.values(), {
      isShort: this.#mustEvict(),
      isDiskShort: space.missingOnDisk(0) > 0,
      garbagePercent,
      // What is pinned would give no room once it is emptied.
      isLeftAlone: (id) => pins.isPinned(id) || lost.has(id) || this.#aside.has(id),
      lone: this.#lone,
      sweep: this.#sweep,
    });
  }

  async #reclaim({ stats, keep }: Victim): Promise<void> {
    const { reclaim, deadSegments, log } = this.#options;
    const startedAt = performance.now();
    const done = await reclaim.run(stats, keep, () => this.#isShort());
    this.counts.copiedBytes += done.copiedBytes;
    if (done.outcome === 'stopped') return;
    if (done.outcome !== 'done') return this.#onFailed({ stats, keep }, done.outcome);
    if (done.renew !== undefined) return this.#renewOrEvict({ stats, keep }, done.renew);
    this.counts.segmentsReclaimed += 1;
    await deadSegments.sweep();
    this.#lone.delete(stats.id);
    const { copiedBytes, evicted } = done;
    this.#renewedBytes = Math.max(0, this.#renewedBytes - (stats.fileBytes - copiedBytes));
    const tookMs = Math.round(performance.now() - startedAt);
    log.debug({ segment: stats.id, keep, copiedBytes, evicted, tookMs }, 'a segment was reclaimed');
  }

  /** Where room must come of it, it comes without a copy; else the segment has to wait. */
  async #onFailed({ stats, keep }: Victim, outcome: Reclaimed['outcome']): Promise<void> {
    const { lost, log, store } = this.#options;
    // What is deleted or cleared during the copying makes it dead, and a sweep drops it: nothing is lost.
    if (outcome === 'missing' && !isNeeded(store.segments.get(stats.id))) return;
    if (outcome === 'missing' || (outcome === 'unreadable' && keep !== 'all')) {
      await lost.add(stats.id, outcome);
    } else if (outcome === 'no-room' && this.#mustEvict()) {
      await this.#reclaim({ stats, keep: 'nothing' });
    } else {
      this.#aside.add(stats.id);
      log.warn({ segment: stats.id, outcome }, 'a segment cannot be reclaimed for now');
    }
  }

  /**
   * A body that stands alone is not copied for its second chance: the sweep passes it by. At most as
   * much is spared in this way as is evicted, so that room is always made.
   */
  async #renewOrEvict({ stats, keep }: Victim, key: string): Promise<void> {
    if (keep === 'all') {
      this.#lone.add(stats.id);
    } else if (this.#renewedBytes === 0) {
      this.#renewedBytes += stats.fileBytes;
      this.#options.store.passBy(key);
    } else {
      await this.#reclaim({ stats, keep: 'nothing' });
    }
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
