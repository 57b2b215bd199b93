/** What `/v1/stats` might say, for the document. */
import {
  newFigures,
  PROCESS_FIGURES,
  SERVER_FIGURES,
  STORE_COUNTS,
  STORE_FIGURES,
  WORKER_COUNTS,
} from '../../protocol/figures.ts';
import { Savings } from '../../protocol/savings.ts';
import type { Snapshot } from './family.ts';
import { LATENCY_BUCKETS, latencyBucket } from './latency.ts';

const HITS = 1210;
const HIT_US = 800;
const latencies = Array.from({ length: LATENCY_BUCKETS }, () => 0);
latencies[latencyBucket(HIT_US)] = HITS;

export const EXAMPLE_SNAPSHOT: Snapshot = {
  counters: { hit: HITS, miss: 40, expire: 3, delete: 2 },
  savings: Savings.fromList(['catalogue', 1100, 495_000]),
  tally: [],
  processes: [newFigures(PROCESS_FIGURES), newFigures(PROCESS_FIGURES)],
  store: { ...newFigures(STORE_FIGURES), isOpen: 1, isWritable: 1, entries: 812, leasesHeld: 1 },
  storeCounts: { ...newFigures(STORE_COUNTS), leasesGiven: 41, leasesHandedOver: 2 },
  server: { ...newFigures(SERVER_FIGURES), workersReady: 1, workersWanted: 1 },
  workers: { ...newFigures(WORKER_COUNTS), freshHits: HITS - 10, staleHits: 10 },
  routes: [
    {
      route: '/v1/entries/{key}',
      method: 'GET',
      answers: [
        ['200', HITS],
        ['404', 43],
      ],
      latencies,
      sumUs: HITS * HIT_US,
    },
  ],
  version: '1.0.0',
};
