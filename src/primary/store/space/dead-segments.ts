/**
 * Gives the space of segments back that no record points to any more: the file is unlinked, by the
 * primary alone and never on a counter alone.
 */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { segmentFileName } from '../../../segments/format.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';

export interface DeadSegmentsOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'walkSegment'>;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly log: Logger;
  /** Tells every worker to give up its descriptor of a segment. */
  readonly onDrop: (segment: number) => void;
}

const CHECK_EVERY_MS = 1000;

export class DeadSegments {
  readonly #options: DeadSegmentsOptions;
  /** Segments whose counters say dead and whose walk found records: kept, for a person to look at. */
  readonly #disputed = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
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

  /** Drops what is dead now. A second call while one is under way joins it. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    // A drop is marked in the index first, which takes no writes at present.
    if (this.#options.store.failure !== undefined) return;
    // After damage, what no counter says is alive may be alive all the same.
    if (!this.#options.store.countsAreSure) return;
    for (const stats of [...this.#options.store.segments.values()]) {
      if (this.#isStopped) return;
      try {
        if (stats.state === SegmentState.dropping) await this.#drop(stats.id);
        else if (await this.#isDead(stats)) await this.#markAndDrop(stats.id);
      } catch (error) {
        this.#options.log.error({ err: error, segment: stats.id }, 'a dead segment stays for now');
        return;
      }
    }
  }

  async #isDead(stats: Readonly<SegmentStats>): Promise<boolean> {
    if (stats.state !== SegmentState.sealed || stats.records > 0) return false;
    if (this.#disputed.has(stats.id)) return false;
    const { store } = this.#options;
    // All that was ever committed here is older than the last clear: nothing valid can point here.
    if (stats.lastVersion <= store.clearVersion) return true;
    const { pointing } = await this.#options.jobs.walkSegment({
      indexPath: this.#options.indexPath,
      segmentPath: this.#pathOf(stats.id),
      segment: stats.id,
    });
    const valid = pointing.filter(({ version }) => version > store.clearVersion);
    if (valid.length === 0) return true;
    this.#disputed.add(stats.id);
    this.#options.log.error(
      { segment: stats.id, records: valid.length },
      'a segment that should be dead still has records; it is kept',
    );
    return false;
  }

  async #markAndDrop(segment: number): Promise<void> {
    if (await this.#options.store.markDropping(segment)) await this.#drop(segment);
  }

  async #drop(segment: number): Promise<void> {
    await unlink(this.#pathOf(segment)).catch((error: NodeJS.ErrnoException) => {
      // Granted and never created, or unlinked just before a crash.
      if (error.code !== 'ENOENT') throw error;
    });
    // Once the name is gone: a descriptor that was opened before it went would keep the space.
    this.#options.onDrop(segment);
    await syncDirectory(this.#options.segmentsPath);
    await this.#options.store.forgetSegment(segment);
    this.#options.log.debug({ segment }, 'segment dropped');
  }

  #pathOf(segment: number): string {
    return join(this.#options.segmentsPath, segmentFileName(segment));
  }
}
