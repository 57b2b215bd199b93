/**
 * What a worker counts: its own figures, and for each route the answers by status and how long they took.
 * All of it lies in one list, the tally, which is laid out in the same way in every worker.
 */
import type { Counters } from '../../protocol/counters.ts';
import {
  figuresToList,
  newFigures,
  WORKER_COUNTS,
  type WorkerCounts,
} from '../../protocol/figures.ts';
import type { Tally } from '../../protocol/statistics.ts';
import { LATENCY_BUCKETS, latencyBucket } from './latency.ts';

/** Where the figures of one route stand in the tally. */
export interface RouteBlock {
  readonly route: string;
  readonly method: string;
  /** Statuses in the order in which they are counted; after them comes one for all others. */
  readonly statuses: readonly number[];
  readonly at: number;
  readonly statusAt: ReadonlyMap<number, number>;
  readonly otherStatusAt: number;
  readonly latenciesAt: number;
  readonly sumUsAt: number;
}

/** What is read from the block of a route. */
export interface RouteFigures {
  readonly route: string;
  readonly method: string;
  /** Of each status, and of `other`. */
  readonly answers: readonly (readonly [status: string, count: number])[];
  readonly latencies: readonly number[];
  readonly sumUs: number;
}

/** What stands for a status that the route does not declare: there should be none. */
export const OTHER_STATUS = 'other';

export class Traffic {
  readonly counts: WorkerCounts = newFigures(WORKER_COUNTS);
  readonly #blocks: RouteBlock[] = [];
  /** The blocks of all routes, one after the other. */
  readonly #values: number[] = [];

  get blocks(): readonly RouteBlock[] {
    return this.#blocks;
  }

  /**
   * Adds a route, or finds it. INVARIANT: every worker of a server declares the same routes in the same
   * order, so that tallies can be added value by value.
   */
  add(route: string, method: string, statuses: readonly number[]): RouteBlock {
    const known = this.#blocks.find((one) => one.route === route && one.method === method);
    if (known !== undefined) return known;
    const at = this.#values.length;
    const otherStatusAt = at + statuses.length;
    const latenciesAt = otherStatusAt + 1;
    const sumUsAt = latenciesAt + LATENCY_BUCKETS;
    const block: RouteBlock = {
      route,
      method,
      statuses,
      at,
      statusAt: new Map(statuses.map((status, nth) => [status, at + nth])),
      otherStatusAt,
      latenciesAt,
      sumUsAt,
    };
    this.#blocks.push(block);
    while (this.#values.length <= sumUsAt) this.#values.push(0);
    return block;
  }

  /** Counts an answer. */
  record(block: RouteBlock, status: number, us: number): void {
    this.#raise(block.statusAt.get(status) ?? block.otherStatusAt, 1);
    this.#raise(block.latenciesAt + latencyBucket(us), 1);
    this.#raise(block.sumUsAt, us > 0 ? Math.round(us) : 0);
  }

  #raise(at: number, by: number): void {
    this.#values[at] = (this.#values[at] ?? 0) + by;
  }

  /** Everything that was counted since the start, beside `hit`, of which the stale ones are taken off. */
  tallyWith({ hit }: Pick<Counters, 'hit'>): Tally {
    this.counts.freshHits = Math.max(0, hit - this.counts.staleHits);
    return [...figuresToList(WORKER_COUNTS, this.counts), ...this.#values];
  }

  /** Reads what a tally, perhaps a sum, says of each route. */
  routesOf(tally: Tally): RouteFigures[] {
    const values = tally.slice(WORKER_COUNTS.length);
    const valueAt = (at: number): number => values[at] ?? 0;
    return this.#blocks.map(({ route, method, statuses, at, latenciesAt, sumUsAt }) => ({
      route,
      method,
      answers: [...statuses.map(String), OTHER_STATUS].map(
        (status, nth) => [status, valueAt(at + nth)] as const,
      ),
      latencies: Array.from({ length: LATENCY_BUCKETS }, (_, nth) => valueAt(latenciesAt + nth)),
      sumUs: valueAt(sumUsAt),
    }));
  }
}
