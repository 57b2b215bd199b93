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
import { entryRange } from '../index/index-keys.ts';
import type { SeenRecord } from '../operations.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';
import type { Pins } from './pins.ts';

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
}

const CHECK_EVERY_MS = 1000;

export class DeadSegments {
  readonly #options: DeadSegmentsOptions;
  /** Segments whose counters say dead and whose walk found records: kept, for a person to look at. */
  readonly #disputed = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<boolean> | undefined;
  #isStopped = false;

  constructor(options: DeadSegmentsOptions) {
    this.#options = options;
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

  async #sweep(): Promise<boolean> {
    // A drop is marked in the index first, which takes no writes at present.
    // After damage, what no counter says is alive may be alive all the same.
    if (!this.#options.store.countsAreSure) return false;
    if (this.#options.store.failure !== undefined) return false;
    const { pins } = this.#options;
    let hasDropped = false;
    for (const stats of this.#candidates()) {
      if (this.#isStopped) return hasDropped;
      try {
        const isMarked = stats.state === SegmentState.dropping || (await this.#mark(stats));
        // It stays marked while somebody holds it, and a later sweep drops it.
        if (!isMarked || pins.isPinned(stats.id)) continue;
        await this.#drop(stats.id);
        hasDropped = true;
      } catch (error) {
        this.#options.log.error({ err: error, segment: stats.id }, 'a dead segment stays for now');
        return hasDropped;
      }
    }
    return hasDropped;
  }

  /**
   * Unlinks dead segments although the index takes no writes: the room may be what it lacks. They are
   * forgotten after it has been opened again.
   */
  async unlinkUnmarked(): Promise<void> {
    for (const stats of this.#candidates()) {
      if (stats.state === SegmentState.open || !(await this.#isDead(stats))) continue;
      await this.unlink(stats.id);
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
    const { jobs, indexPath } = this.#options;
    const { lt, gte } = entryRange('');
    for (let at: Uint8Array | undefined = gte; at !== undefined; ) {
      const request = { indexPath, gte: at, lt, segments: [segment] };
      const { pointing, next } = await jobs.findPointing(request);
      if (pointing.length > 0) return pointing;
      if (this.#isStopped) throw new BigCacheError('STORE_CLOSED');
      at = next;
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
    await syncDirectory(this.#options.segmentsPath);
  }

  #pathOf(segment: number): string {
    return join(this.#options.segmentsPath, segmentFileName(segment));
  }
}
