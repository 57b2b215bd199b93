/**
 * Everything that is counted, of all processes together: what the primary answers when a worker is asked
 * for statistics. Whoever renders them reads this and nothing else.
 */
import { type Counters, countersFromList, countersToList } from './counters.ts';
import {
  figuresFromList,
  figuresToList,
  isFigure,
  PROCESS_FIGURES,
  type ProcessFigures,
  SERVER_FIGURES,
  type ServerFigures,
  STORE_COUNTS,
  STORE_FIGURES,
  type StoreCounts,
  type StoreFigures,
} from './figures.ts';
import { Savings, type SavingsList } from './savings.ts';

/**
 * What a worker has counted since its start: WORKER_COUNTS, then a block for each of its routes. All
 * workers have the same routes, so tallies are added value by value, and only a worker needs to know what
 * stands where.
 */
export type Tally = readonly number[];

/** Far more than all routes need. */
export const TALLY_LENGTH_MAX = 65_536;

export interface Statistics {
  readonly counters: Counters;
  readonly savings: Savings;
  readonly tally: Tally;
  /** The primary, then the workers by their places; figures of 0 where one is missing. */
  readonly processes: readonly ProcessFigures[];
  readonly store: StoreFigures;
  readonly storeCounts: StoreCounts;
  readonly server: ServerFigures;
}

/** `[counters, savings, tally, processes, store, store counts, server]`, as it crosses the channel. */
export type StatisticsList = readonly [
  readonly number[],
  SavingsList,
  Tally,
  readonly (readonly number[])[],
  readonly number[],
  readonly number[],
  readonly number[],
];

export function statisticsToList(all: Statistics): StatisticsList {
  return [
    countersToList(all.counters),
    all.savings.toList(),
    all.tally,
    all.processes.map((figures) => figuresToList(PROCESS_FIGURES, figures)),
    figuresToList(STORE_FIGURES, all.store),
    figuresToList(STORE_COUNTS, all.storeCounts),
    figuresToList(SERVER_FIGURES, all.server),
  ];
}

/** Reads the primary's answer to `sumStatistics`; what is missing or no figure becomes 0. */
export function statisticsFromList(list: unknown): Statistics {
  const [counters, savings, tally, processes, store, storeCounts, server]: unknown[] =
    Array.isArray(list) ? list : [];
  return {
    counters: countersFromList(counters),
    savings: Savings.fromList(savings),
    tally: isTally(tally) ? tally : [],
    processes: (Array.isArray(processes) ? processes : []).map((figures) =>
      figuresFromList(PROCESS_FIGURES, figures),
    ),
    store: figuresFromList(STORE_FIGURES, store),
    storeCounts: figuresFromList(STORE_COUNTS, storeCounts),
    server: figuresFromList(SERVER_FIGURES, server),
  };
}

export function isTally(value: unknown): value is Tally {
  return Array.isArray(value) && value.length <= TALLY_LENGTH_MAX && value.every(isFigure);
}

/** Adds `more` to `sum`, which grows to its length. */
export function addTally(sum: number[], more: Tally): void {
  for (let at = 0; at < more.length; at++) sum[at] = (sum[at] ?? 0) + (more[at] ?? 0);
}
