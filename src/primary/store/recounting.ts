/**
 * Counts again after damage, in the primary, while the store is served: a job thread scans a snapshot
 * of the index, and the difference to the counters of that same point is added to what they are then.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { Jobs } from '../jobs/job-pool.ts';
import type { EntryStore } from './entry-store.ts';
import { correctionsIn, differenceOf, type NotedCounts } from './recounted.ts';

export interface RecountingOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'recount'>;
  readonly indexPath: string;
  readonly log: Logger;
}

const RETRY_MS = 1000;
/** The lane waits no longer than this for the job's snapshot. */
const OPEN_TIMEOUT_MS = 1000;

export class Recounting {
  readonly #options: RecountingOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: RecountingOptions) {
    this.#options = options;
  }

  /** Begins to count if the counters are not sure. */
  start(): void {
    if (!this.#options.store.countsAreSure) this.#running ??= this.#run();
  }

  /** Ends the recount; a later start of the store begins it again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, store } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted && !store.countsAreSure) {
      try {
        await this.#recount();
      } catch (error) {
        // A store that takes no writes is opened again before it takes this one.
        if (signal.aborted || store.failure !== undefined) return;
        log.error({ err: error }, 'counting the entries again failed; trying again');
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #recount(): Promise<void> {
    const { store, jobs, indexPath, log } = this.#options;
    const startedAtMs = Date.now();
    const { port1: port, port2: jobPort } = new MessageChannel();
    const end = (): void => port.close();
    this.#stopping.signal.addEventListener('abort', end);
    try {
      const scan = jobs.recount({ indexPath, port: jobPort });
      const failed = scan.then(() => Promise.reject(new Error('the job ended early')));
      failed.catch(() => undefined);
      await Promise.race([once(port, 'message'), failed]);
      const noted = await Promise.race([this.#noteAtSnapshot(port), failed]);
      const counted = await scan;
      if (counted === undefined) return;
      const difference = differenceOf(noted, counted);
      await store.applyRecount(difference);
      log.warn(
        {
          entries: counted.count,
          corrections: correctionsIn(difference),
          tookMs: Date.now() - startedAtMs,
        },
        'the entries were counted again after damage',
      );
    } finally {
      this.#stopping.signal.removeEventListener('abort', end);
      end();
    }
  }

  /** Notes the counters at the point at which the job takes its snapshot. */
  #noteAtSnapshot(port: MessagePort): Promise<NotedCounts> {
    const { store } = this.#options;
    return store.betweenBatches(async () => {
      const noted = store.noteCounts();
      port.postMessage(noted.clearVersion);
      await once(port, 'message', { signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) });
      return noted;
    });
  }
}
