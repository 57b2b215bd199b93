/** Which requests a workload sends, and which entries must be stored before. */
import { ENTRIES, type LoadPlan, type RequestTarget } from './load-plan.ts';
import type { Page } from './pages.ts';
import { COLD_ENTRIES_PER_SECOND, HOT_ENTRIES, type Workload } from './workloads.ts';

/** What all requests of one measurement have in common. */
export interface RequestSetup {
  readonly workload: Workload;
  readonly bodyBytes: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  /** Of the workloads that read them. */
  readonly pages: readonly Page[];
}

/** Where the requests go. */
interface Aim {
  readonly port: number;
  readonly target: RequestTarget;
}

/** Without a slash: not every peer takes a key that has one. */
export const HOT_PREFIX = 'hot-';
const COLD_PREFIX = 'cold/';
const MISSING_PREFIX = 'missing/';
const NEW_PREFIX = 'new/';
/** No end: the other bound of a run ends it. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
const WARM_UP_MS_MAX = 1000;
/**
 * What a server is asked before its first round, so that its code is compiled: as many requests as that
 * takes, but of no more bytes, in no more time, and in no more than that of so many rounds.
 */
const FIRST_WARM_UP_REQUESTS = 20_000;
const FIRST_WARM_UP_BYTES_MAX = 128 * 1024 ** 2;
const FIRST_WARM_UP_MS_MAX = 3000;
const FIRST_WARM_UP_ROUNDS = 3;
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
function storing(
  { port, target }: Aim,
  prefix: string,
  count: number,
  bodyBytes: number,
): LoadPlan {
  return {
    port,
    method: 'POST',
    target,
    headers: [],
    names: [],
    keyPrefix: prefix,
    firstKey: 0,
    keyCount: 0,
    bodyBytes,
    expectedStatus: 200,
    durationMs: UNBOUNDED,
    requestsMax: count,
    newConnections: 0,
    everyUs: 0,
  };
}

/** What fills the store before the first round; pages are stored otherwise. */
export function preparation(setup: RequestSetup, aim: Aim): LoadPlan[] {
  const { workload, bodyBytes, seconds, rounds } = setup;
  if (workload.keys === 'new' || workload.keys === 'pages') return [];
  const plans = [storing(aim, HOT_PREFIX, HOT_ENTRIES, bodyBytes)];
  if (workload.keys === 'cold') {
    const count = coldEntriesPerRound(seconds) * coldRanges(rounds);
    plans.push(storing(aim, COLD_PREFIX, count, bodyBytes));
  }
  return plans;
}

/**
 * The requests of the `nth` round, after `sent` requests of earlier ones. A read of cold entries is
 * warmed up with hot ones.
 */
export function roundRequests(
  setup: RequestSetup,
  { port, target }: Aim,
  nth: number,
  sent: number,
): { readonly warmUp: LoadPlan; readonly measured: LoadPlan } {
  const { workload, seconds } = setup;
  const durationMs = seconds * 1000;
  const hot: LoadPlan = {
    port,
    method: workload.method,
    target,
    headers: workload.accepts === undefined ? [] : [`Accept-Encoding: ${workload.accepts}`],
    names: [],
    keyPrefix: HOT_PREFIX,
    firstKey: 0,
    keyCount: HOT_ENTRIES,
    bodyBytes: setup.bodyBytes,
    expectedStatus: 200,
    durationMs,
    requestsMax: UNBOUNDED,
    newConnections: workload.isConnectionPerRequest ? setup.connections : 0,
    everyUs: 0,
  };
  const warmUpMs = Math.min(durationMs / 2, WARM_UP_MS_MAX);
  const warmUp = { ...hot, durationMs: warmUpMs };
  switch (workload.keys) {
    case 'hot':
      return { warmUp, measured: hot };
    case 'pages': {
      const names = setup.pages.map(({ name }) => name);
      const measured = { ...hot, target: ENTRIES, names, keyCount: names.length };
      return { warmUp: { ...measured, durationMs: warmUpMs }, measured };
    }
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

/** What a server is asked before its first round, and does not count. */
export function firstWarmUp(setup: RequestSetup, aim: Aim): LoadPlan {
  const { warmUp } = roundRequests(setup, aim, 0, 0);
  const sentMax = FIRST_WARM_UP_BYTES_MAX / Math.max(setup.bodyBytes, 1);
  return {
    ...warmUp,
    // Other keys than those of the rounds, for what must be new.
    keyPrefix: warmUp.keyCount === 0 ? `${warmUp.keyPrefix}first/` : warmUp.keyPrefix,
    requestsMax:
      warmUp.method === 'GET' ? FIRST_WARM_UP_REQUESTS : Math.min(FIRST_WARM_UP_REQUESTS, sentMax),
    durationMs: Math.min(setup.seconds * 1000 * FIRST_WARM_UP_ROUNDS, FIRST_WARM_UP_MS_MAX),
  };
}

/** As many new entries as `requests`, in at most `durationMs`, after a second of warm-up. */
export function volumeRequests(
  setup: RequestSetup,
  aim: Aim,
  requests: number,
  durationMs = UNBOUNDED,
): { readonly warmUp: LoadPlan; readonly measured: LoadPlan } {
  const { warmUp } = roundRequests(setup, aim, 0, 0);
  const storingAll = storing(aim, NEW_PREFIX, requests, setup.bodyBytes);
  return { warmUp, measured: { ...storingAll, durationMs } };
}

/** New entries at a rate of their own, in the `nth` round of `seconds` and beside what else is asked for. */
export function pacedWrites(
  { bodyBytes, seconds }: RequestSetup,
  aim: Aim,
  nth: number,
  perSecond: number,
): LoadPlan {
  const writes = storing(aim, `beside/${nth}/`, UNBOUNDED, bodyBytes);
  return { ...writes, durationMs: seconds * 1000, everyUs: 1_000_000 / perSecond };
}
