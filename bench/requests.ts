/** Which requests a workload sends, and which entries must be stored before. */
import type { LoadPlan } from './load-plan.ts';
import { COLD_ENTRIES_PER_SECOND, HOT_ENTRIES, type Workload } from './workloads.ts';

/** What all requests of one measurement have in common. */
export interface RequestSetup {
  readonly workload: Workload;
  readonly bodyBytes: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
}

const HOT_PREFIX = 'hot/';
const COLD_PREFIX = 'cold/';
const MISSING_PREFIX = 'missing/';
const NEW_PREFIX = 'new/';
/** No end: the other bound of a run ends it. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
const WARM_UP_MS_MAX = 1000;
/** The server syncs each second, so what is written later than this belongs to no request. */
const QUIET_MS_MAX = 1500;

/** How long nothing must have been written before the bytes on disk are counted. */
export function quietMs(seconds: number): number {
  return Math.min(seconds * 1000, QUIET_MS_MAX);
}

export function coldEntriesPerRound(seconds: number): number {
  return Math.ceil(seconds * COLD_ENTRIES_PER_SECOND);
}

/** Each round reads entries of its own; more are stored than all rounds read. */
export function coldRanges(rounds: number): number {
  return rounds + Math.ceil(rounds / 4);
}

/** Stores `count` entries in turn. */
function storing(port: number, prefix: string, count: number, bodyBytes: number): LoadPlan {
  return {
    port,
    method: 'POST',
    keyPrefix: prefix,
    firstKey: 0,
    keyCount: 0,
    bodyBytes,
    expectedStatus: 200,
    durationMs: UNBOUNDED,
    requestsMax: count,
    newConnections: 0,
  };
}

/** What fills the store before the first round. */
export function preparation(setup: RequestSetup, port: number): LoadPlan[] {
  const { workload, bodyBytes, seconds, rounds } = setup;
  if (workload.keys === 'new') return [];
  const plans = [storing(port, HOT_PREFIX, HOT_ENTRIES, bodyBytes)];
  if (workload.keys === 'cold') {
    const count = coldEntriesPerRound(seconds) * coldRanges(rounds);
    plans.push(storing(port, COLD_PREFIX, count, bodyBytes));
  }
  return plans;
}

/**
 * The requests of the `nth` round, after `sent` requests of earlier ones. A read of cold entries is
 * warmed up with hot ones.
 */
export function roundRequests(
  setup: RequestSetup,
  port: number,
  nth: number,
  sent: number,
): { readonly warmUp: LoadPlan; readonly measured: LoadPlan } {
  const { workload, seconds } = setup;
  const durationMs = seconds * 1000;
  const hot: LoadPlan = {
    port,
    method: workload.method,
    keyPrefix: HOT_PREFIX,
    firstKey: 0,
    keyCount: HOT_ENTRIES,
    bodyBytes: setup.bodyBytes,
    expectedStatus: 200,
    durationMs,
    requestsMax: UNBOUNDED,
    newConnections: workload.isConnectionPerRequest ? setup.connections : 0,
  };
  const warmUpMs = Math.min(durationMs / 2, WARM_UP_MS_MAX);
  const warmUp = { ...hot, durationMs: warmUpMs };
  switch (workload.keys) {
    case 'hot':
      return { warmUp, measured: hot };
    case 'missing': {
      const missing = { ...hot, keyPrefix: MISSING_PREFIX, keyCount: 0, expectedStatus: 404 };
      return { warmUp: { ...missing, durationMs: warmUpMs }, measured: missing };
    }
    case 'new': {
      const measured = { ...hot, keyPrefix: NEW_PREFIX, keyCount: 0, firstKey: sent };
      return {
        warmUp: { ...measured, keyPrefix: `warm-up/${nth}/`, durationMs: warmUpMs },
        measured,
      };
    }
    case 'cold': {
      const count = coldEntriesPerRound(seconds);
      const firstKey = (nth % coldRanges(setup.rounds)) * count;
      const once = { keyPrefix: COLD_PREFIX, firstKey, keyCount: count, requestsMax: count };
      return { warmUp, measured: { ...hot, ...once, durationMs: UNBOUNDED } };
    }
  }
}

/** The stall run: as many new entries as `volumeBytes` holds, after a second of warm-up. */
export function volumeRequests(
  setup: RequestSetup,
  port: number,
  requests: number,
): { readonly warmUp: LoadPlan; readonly measured: LoadPlan } {
  const { warmUp } = roundRequests(setup, port, 0, 0);
  return { warmUp, measured: storing(port, NEW_PREFIX, requests, setup.bodyBytes) };
}
