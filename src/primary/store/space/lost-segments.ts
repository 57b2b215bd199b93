/**
 * Segments whose bytes are gone although records point into them: the records are evicted, in one search
 * of the index for all of them, stretch by stretch. Run by the reclaimer, beside its other work.
 */
import type { EntryStore } from '../entry-store.ts';
import type { LossCause } from '../segment-stats.ts';
import { type Evicting, evictEntries } from './evict-entries.ts';
import { IndexSearch, type IndexSearchOptions } from './index-search.ts';

export interface LostSegmentsOptions extends IndexSearchOptions, Evicting {
  readonly store: EntryStore;
}

const MESSAGES: Readonly<Record<LossCause, string>> = {
  missing: 'a segment file is missing; its entries are removed',
  unreadable: 'a segment cannot be read and had to make room; its entries are evicted',
  evicted: 'a segment was removed to make room for the index; its entries are evicted',
};

export class LostSegments {
  readonly #options: LostSegmentsOptions;
  /** Those with records that are still to be removed. */
  readonly #causes: Map<number, LossCause>;
  #search: IndexSearch | undefined;
  /** Entries that the search has removed, by segment. */
  #removed = new Map<number, number>();

  constructor(options: LostSegmentsOptions, lost: ReadonlyMap<number, LossCause>) {
    this.#options = options;
    this.#causes = new Map(lost);
  }

  has(segment: number): boolean {
    return this.#causes.has(segment);
  }

  /** From then on its entries are misses. What a search under way has passed is left to the next one. */
  async add(segment: number, cause: LossCause): Promise<void> {
    await this.#options.store.loseSegment(segment, cause);
    this.#causes.set(segment, cause);
  }

  /** Does one stretch of the search; false when there is nothing to do. */
  async step(): Promise<boolean> {
    if (this.#causes.size === 0) return false;
    const search = this.#search ?? this.#begin();
    try {
      const pointing = await search.next();
      await evictEntries(pointing, this.#options);
      for (const { from } of pointing) {
        this.#removed.set(from.segment, (this.#removed.get(from.segment) ?? 0) + 1);
      }
    } catch (error) {
      // What was found is not removed, so all of it is looked for again.
      this.#search = undefined;
      throw error;
    }
    if (search.isDone) await this.#finish(search);
    return true;
  }

  #begin(): IndexSearch {
    this.#search = new IndexSearch(this.#options, [...this.#causes.keys()]);
    this.#removed = new Map();
    return this.#search;
  }

  async #finish(search: IndexSearch): Promise<void> {
    const { store, log } = this.#options;
    this.#search = undefined;
    for (const segment of search.segments) {
      await store.emptySegment(segment);
      const cause = this.#causes.get(segment) ?? 'missing';
      this.#causes.delete(segment);
      log.error({ segment, entries: this.#removed.get(segment) ?? 0, cause }, MESSAGES[cause]);
    }
  }
}
