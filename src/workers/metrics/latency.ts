/**
 * Latencies in buckets of a fixed layout, four to each power of two, so that recording one allocates
 * nothing and those of several processes can be added: exact to a quarter, from 64 us to 67 s.
 */

const SUB_BITS = 2;
const SUB_BUCKETS = 2 ** SUB_BITS;
const FIRST_EXPONENT = 6;
const LAST_EXPONENT = 26;
const SMALLEST_US = 2 ** FIRST_EXPONENT;
const LARGEST_US = 2 ** LAST_EXPONENT;

/** One for all up to 64 us, those between, one for all beyond 67 s. */
export const LATENCY_BUCKETS = 1 + (LAST_EXPONENT - FIRST_EXPONENT) * SUB_BUCKETS + 1;

/** The bucket of a latency; each holds what is above the bound of the one before, up to its own. */
export function latencyBucket(us: number): number {
  if (!(us > SMALLEST_US)) return 0;
  if (us > LARGEST_US) return LATENCY_BUCKETS - 1;
  // So that a bound itself falls below the bound.
  const below = Math.ceil(us) - 1;
  const exponent = 31 - Math.clz32(below);
  const sub = (below >>> (exponent - SUB_BITS)) & (SUB_BUCKETS - 1);
  return 1 + (exponent - FIRST_EXPONENT) * SUB_BUCKETS + sub;
}

/** The largest latency of a bucket, in microseconds; that of the last is Infinity. */
export function latencyBoundUs(bucket: number): number {
  if (bucket === 0) return SMALLEST_US;
  if (bucket === LATENCY_BUCKETS - 1) return Number.POSITIVE_INFINITY;
  const exponent = FIRST_EXPONENT + Math.floor((bucket - 1) / SUB_BUCKETS);
  const sub = (bucket - 1) % SUB_BUCKETS;
  return (SUB_BUCKETS + sub + 1) * 2 ** (exponent - SUB_BITS);
}

/** A histogram as it is shown: buckets by their bounds, how many in all, and their sum. */
export interface Distribution {
  /** How many are at or below each bound, the last of which is Infinity. */
  readonly cumulative: readonly { readonly boundUs: number; readonly count: number }[];
  readonly count: number;
  readonly sumUs: number;
}

/** Counts by bucket -> those by power of two, which are few enough for every route. */
export function distributionOf(counts: readonly number[], sumUs: number): Distribution {
  const cumulative: { boundUs: number; count: number }[] = [];
  let count = 0;
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    count += counts[bucket] ?? 0;
    const isWhole = bucket % SUB_BUCKETS === 0 || bucket === LATENCY_BUCKETS - 1;
    if (isWhole) cumulative.push({ boundUs: latencyBoundUs(bucket), count });
  }
  return { cumulative, count, sumUs };
}

/** The bound that `share` (0 to 1) of all are at or below; 0 when there are none. */
export function percentileUs(counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  const wanted = Math.max(Math.ceil(share * total), 1);
  let seen = 0;
  for (let bucket = 0; bucket < LATENCY_BUCKETS - 1; bucket++) {
    seen += counts[bucket] ?? 0;
    if (seen >= wanted) return latencyBoundUs(bucket);
  }
  return LARGEST_US;
}
