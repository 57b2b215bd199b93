/**
 * A search of the whole index for the records that point into some segments, one stretch after the
 * other. For segments whose files cannot tell: they are missing, unreadable or damaged.
 */
import type { Jobs } from '../../jobs/job-pool.ts';
import { ENTRIES } from '../index/index-keys.ts';
import type { SeenAt } from '../operations.ts';

export interface IndexSearchOptions {
  readonly jobs: Pick<Jobs, 'findPointing'>;
  readonly indexPath: string;
}

export class IndexSearch {
  readonly segments: readonly number[];
  readonly #options: IndexSearchOptions;
  #at: Uint8Array | undefined = ENTRIES.gte;

  constructor(options: IndexSearchOptions, segments: readonly number[]) {
    this.#options = options;
    this.segments = segments;
  }

  /** Whether the whole index has been looked through. */
  get isDone(): boolean {
    return this.#at === undefined;
  }

  /** What the next stretch holds. When it fails the same stretch comes again. */
  async next(): Promise<readonly SeenAt[]> {
    if (this.#at === undefined) return [];
    const { jobs, indexPath } = this.#options;
    const range = { gte: this.#at, lt: ENTRIES.lt };
    const { pointing, next } = await jobs.findPointing({
      indexPath,
      ...range,
      segments: this.segments,
    });
    this.#at = next;
    return pointing;
  }
}
