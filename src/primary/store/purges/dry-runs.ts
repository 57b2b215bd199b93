/**
 * Dry runs of purges, in the primary: they count in a job thread, one after the other, what a purge would
 * take. Nothing of them is on disk, so none outlives the opened store.
 */
import type { Logger } from 'pino';
import { BigCacheError } from '../../../protocol/errors.ts';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import type { Selection } from './purge-operations.ts';
import { newPurge, type Purge, packMarks } from './purges.ts';

export interface DryRunsOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'countMatching'>;
  readonly indexPath: string;
  readonly now: () => number;
  readonly log: Logger;
}

/** Those that wait, the one that runs included; further ones are refused with PURGES_PENDING. */
export const DRY_RUNS_WAITING_MAX = 16;
/** Reports that are kept, of those that have ended. */
const REPORTS_MAX = 100;

export class DryRuns {
  readonly #options: DryRunsOptions;
  readonly #reports = new Map<number, Purge>();
  readonly #stop = new Uint8Array(new SharedArrayBuffer(1));
  #waiting = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: DryRunsOptions) {
    this.#options = options;
  }

  /** Begins a dry run; resolves with its report, which grows. Rejects with PURGES_PENDING. */
  async begin(selection: Selection): Promise<Purge> {
    if (this.#waiting >= DRY_RUNS_WAITING_MAX) {
      throw new BigCacheError(
        'PURGES_PENDING',
        'Too many dry runs are waiting; try again shortly.',
      );
    }
    this.#waiting += 1;
    let version: number;
    try {
      version = await this.#options.store.takeVersion();
    } catch (error) {
      this.#waiting -= 1;
      throw error;
    }
    const report = newPurge({ ...selection, version, startedAtMs: this.#options.now() });
    this.#add(report);
    this.#turn = this.#turn.then(() => this.#run(report));
    return report;
  }

  get(version: number): Purge | undefined {
    return this.#reports.get(version);
  }

  /** Ends the one that runs, and forgets those that have not ended. */
  async stop(): Promise<void> {
    Atomics.store(this.#stop, 0, 1);
    await this.#turn;
  }

  async #run(report: Purge): Promise<void> {
    try {
      if (Atomics.load(this.#stop, 0) === 0 && (await this.#count(report))) return;
    } catch (error) {
      const { tag, prefix } = report;
      this.#options.log.error({ err: error, tag, prefix }, 'a dry run of a purge failed');
    } finally {
      this.#waiting -= 1;
    }
    // What was not counted to its end has no figures to show.
    if (report.finishedAtMs === null) this.#reports.delete(report.version);
  }

  /** Whether it was counted to its end. */
  async #count(report: Purge): Promise<boolean> {
    const { store, jobs, indexPath, now } = this.#options;
    const { version, prefix, tag, isSoft } = report;
    const { isComplete, ...figures } = await jobs.countMatching({
      indexPath,
      mark: { version, prefix, tag, isSoft },
      nowMs: now(),
      clearVersion: store.clearVersion,
      packed: packMarks(store.pendingPurges),
      stop: this.#stop,
    });
    if (isComplete) Object.assign(report, figures, { finishedAtMs: now() });
    return isComplete;
  }

  #add(report: Purge): void {
    this.#reports.set(report.version, report);
    for (const [version, { finishedAtMs }] of this.#reports) {
      if (this.#reports.size <= REPORTS_MAX + DRY_RUNS_WAITING_MAX) break;
      if (finishedAtMs !== null) this.#reports.delete(version);
    }
  }
}
