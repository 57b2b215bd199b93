/** What the benchmark and the load process say to each other. */

export interface LoadPlan {
  readonly port: number;
  readonly method: 'GET' | 'POST';
  /** Keys are `<prefix><number>`. */
  readonly keyPrefix: string;
  readonly firstKey: number;
  /** Requests go round in this many keys, scattered; 0: each has the next number. */
  readonly keyCount: number;
  /** Of a POST. */
  readonly bodyBytes: number;
  readonly expectedStatus: number;
  /** Whichever comes first ends the run; what is under way is waited for. */
  readonly durationMs: number;
  readonly requestsMax: number;
  /** Connections for one request each, this many at a time; 0: the open ones are used. */
  readonly newConnections: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly durationMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** The slowest request. */
  readonly maxUs: number;
  /** The longest time in which no request was completed. */
  readonly longestStallMs: number;
  /** How long the load process itself once did not get to its events; a stall may be its own. */
  readonly ownPauseMs: number;
  readonly ownCpuUs: number;
}

export type LoadCommand =
  | { readonly do: 'open'; readonly port: number; readonly connections: number }
  | { readonly do: 'close'; readonly localPorts: readonly number[] }
  | { readonly do: 'run'; readonly plan: LoadPlan };

/** The answer to each command in turn. */
export type LoadAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'result'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly reason: string };

/** One key after the other in an order that readahead does not guess; a prime, to meet all. */
const STRIDE = 104_729;

/** The number of the key of the `nth` request. */
export function keyNumber(plan: LoadPlan, nth: number): number {
  if (plan.keyCount === 0) return plan.firstKey + nth;
  return plan.firstKey + ((nth * STRIDE) % plan.keyCount);
}
