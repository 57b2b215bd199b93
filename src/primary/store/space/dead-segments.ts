/**
 * Gives the space of segments back that no record points to any more: the file is unlinked, by the
 * primary alone and never on a counter alone.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { BigCacheError } from '../../../protocol/errors.ts';
import { segmentFileName } from '../../../segments/format.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import type { SeenRecord } from '../operations.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';
import { IndexSearch } from './index-search.ts';
import type { Pins } from './pins.ts';
import type { Clock } from './rate-limit.ts';
import { SetAside } from './set-aside.ts';

export interface DeadSegmentsOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'walkSegment' | 'findPointing'>;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly log: Logger;
  /** What is pinned keeps its file for now. */
  readonly pins: Pins;
  /** Tells every worker to give up its descriptor of a segment. */
  readonly onDrop: (segment: number) => void;
  readonly clock?: Pick<Clock, 'elapsedMs'>;
}

const CHECK_EVERY_MS = 1000;

export class DeadSegments {
  readonly #options: DeadSegmentsOptions;
  /** Segments whose counters say dead and whose walk found records: kept, for a person to look at. */
  readonly #disputed = new Set<number>();
  /** Segments with which something has failed a short while ago. */
  readonly #aside: SetAside;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<boolean> | undefined;
  #isStopped = false;
  /** What has been done since the store was opened. */
  readonly counts = { segmentsDropped: 0 };

  constructor(options: DeadSegmentsOptions) {
    this.#options = options;
    this.#aside = new SetAside(options.clock);
  }

  start(): void {
    this.#timer = setInterval(() => void this.sweep(), CHECK_EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  /**
   * Drops what is dead now; answers whether it dropped something. A second call while one is under way
   * joins it.
   */
  sweep(): Promise<boolean> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  /**
   * Bytes of the segments without records that are still there: pinned, or something has failed with
   * them. This is room on its way, for which nothing more need be evicted.
   */
  get awaitedBytes(): number {
    let bytes = 0;
    for (const { id, fileBytes } of this.#candidates()) {
      if (!this.#disputed.has(id)) bytes += fileBytes;
    }
    return bytes;
  }

  async #sweep(): Promise<boolean> {
    const { store } = this.#options;
    // After damage, what no counter says is alive may be alive all the same.
    if (!store.countsAreSure) return false;
    let hasDropped = false;
    for (const stats of this.#candidates()) {
      // A drop is marked in the index first, which may take no writes at present.
      if (this.#isStopped || store.failure !== undefined) return hasDropped;
      if (this.#aside.has(stats.id)) continue;
      try {
        if (await this.#dropIfDead(stats)) hasDropped = true;
      } catch (error) {
        this.#setAside(stats.id, error);
      }
    }
    return hasDropped;
  }

  async #dropIfDead(stats: Readonly<SegmentStats>): Promise<boolean> {
    const isMarked = stats.state === SegmentState.dropping || (await this.#mark(stats));
    // It stays marked while somebody holds it, and a later sweep drops it.
    if (!isMarked || this.#options.pins.isPinned(stats.id)) return false;
    await this.#drop(stats.id);
    return true;
  }

  /** Another segment may well be dropped, so this one has to wait for its next turn. */
  #setAside(segment: number, error: unknown): void {
    if (this.#isStopped || this.#options.store.failure !== undefined) return;
    this.#aside.add(segment);
    this.#options.log.error({ err: error, segment }, 'a dead segment stays for now');
  }

  /**
   * Unlinks dead segments although the index takes no writes: the room may be what it lacks. They are
   * forgotten after it has been opened again.
   */
  async unlinkUnmarked(): Promise<void> {
    for (const stats of this.#candidates()) {
      try {
        if (await this.#isDead(stats)) await this.unlink(stats.id);
      } catch (error) {
        const { log } = this.#options;
        if (!(error instanceof BigCacheError)) {
          log.warn({ err: error, segment: stats.id }, 'a dead segment stays for now');
        }
      }
    }
  }

  #candidates(): Readonly<SegmentStats>[] {
    const all = [...this.#options.store.segments.values()];
    return all.filter(({ state, records }) => state !== SegmentState.open && records === 0);
  }

  async #isDead(stats: Readonly<SegmentStats>): Promise<boolean> {
    if (stats.state !== SegmentState.sealed || stats.records > 0) return false;
    if (this.#disputed.has(stats.id)) return false;
    const { store } = this.#options;
    // All that was ever committed here is older than the last clear: nothing valid can point here.
    if (stats.lastVersion <= store.clearVersion) return true;
    const { indexPath, jobs } = this.#options;
    const walked = await jobs.walkSegment({
      indexPath,
      segmentPath: this.#pathOf(stats.id),
      segment: stats.id,
    });
    if (walked.isMissing) return true;
    // A walk that ended before what was committed last has met damage, and does not know all keys.
    const isWhole = walked.end >= stats.bytesWritten;
    const pointing = isWhole ? walked.pointing : await this.#pointingFrom(stats.id);
    const valid = pointing.filter(({ version }) => version > store.clearVersion);
    if (valid.length === 0) return true;
    this.#disputed.add(stats.id);
    this.#options.log.error(
      { segment: stats.id, records: valid.length },
      'a segment that should be dead still has records; it is kept',
    );
    return false;
  }

  /** Whether the segment is dead, and marked as such. */
  async #mark(stats: Readonly<SegmentStats>): Promise<boolean> {
    return (await this.#isDead(stats)) && (await this.#options.store.markDropping(stats.id));
  }

  /** Records anywhere in the index that point into the segment, up to some. */
  async #pointingFrom(segment: number): Promise<readonly SeenRecord[]> {
    const search = new IndexSearch(this.#options, [segment]);
    while (!search.isDone) {
      const pointing = await search.next();
      if (pointing.length > 0) return pointing;
      if (this.#isStopped) throw new BigCacheError('STORE_CLOSED');
    }
    return [];
  }

  async #drop(segment: number): Promise<void> {
    await this.unlink(segment);
    await this.#options.store.forgetSegment(segment);
    this.#options.log.debug({ segment }, 'segment dropped');
  }

  /** Removes the file of a segment for good, and with it the space that readers might keep. */
  async unlink(segment: number): Promise<void> {
    await unlink(this.#pathOf(segment)).catch((error: NodeJS.ErrnoException) => {
      // Granted and never created, or unlinked just before a crash.
      if (error.code !== 'ENOENT') throw error;
    });
    // Once the name is gone: a descriptor that was opened before it went would keep the space.
    this.#options.onDrop(segment);
    this.counts.segmentsDropped += 1;
    await syncDirectory(this.#options.segmentsPath);
  }

  #pathOf(segment: number): string {
    return join(this.#options.segmentsPath, segmentFileName(segment));
  }
}
