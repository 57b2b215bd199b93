/** Statistics for tests: nothing counted, every name present. */
import { newCounters } from '../src/protocol/counters.ts';
import {
  newFigures,
  PROCESS_FIGURES,
  SERVER_FIGURES,
  STORE_COUNTS,
  STORE_FIGURES,
} from '../src/protocol/figures.ts';
import { Savings } from '../src/protocol/savings.ts';
import type { Statistics } from '../src/protocol/statistics.ts';

export function noStatistics(changes: Partial<Statistics> = {}): Statistics {
  return {
    counters: newCounters(),
    savings: new Savings(),
    tally: [],
    processes: [newFigures(PROCESS_FIGURES), newFigures(PROCESS_FIGURES)],
    store: newFigures(STORE_FIGURES),
    storeCounts: newFigures(STORE_COUNTS),
    server: newFigures(SERVER_FIGURES),
    ...changes,
  };
}
