/** What the benchmark and the load process say to each other. */

/** What stands before and after the key in the target of a request. */
export interface RequestTarget {
  readonly before: string;
  readonly after: string;
}

export const PICKLE: RequestTarget = { before: '/pickle/', after: '' };
/** Where pages are, with every server. */
export const ENTRIES: RequestTarget = { before: '/v1/entries/', after: '' };

export interface LoadPlan {
  readonly port: number;
  readonly method: 'GET' | 'POST';
  readonly target: RequestTarget;
  /** Lines that each request has beside those of its body. */
  readonly headers: readonly string[];
  /** Keys by their number; where there are none, keys are `<keyPrefix><number>`. */
  readonly names: readonly string[];
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
  /** The time from one request to the next, as far as connections are free; 0: each sends at once. */
  readonly everyUs: number;
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

/** The key of the `nth` request. */
export function keyOf(plan: LoadPlan, nth: number): string {
  const number = keyNumber(plan, nth);
  return plan.names[number] ?? plan.keyPrefix + number;
}
