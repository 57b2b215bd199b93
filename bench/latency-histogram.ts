/**
 * Latencies in buckets of a fixed array, so that recording one allocates nothing: exact below 128 us,
 * within 1.6% above.
 */

/** Buckets for each power of two. */
const SUB_BUCKETS = 64;
const SUB_BITS = 6;
const EXACT_BELOW_US = 2 * SUB_BUCKETS;
const EXACT_BITS = SUB_BITS + 1;
const LARGEST_US = 2 ** 31 - 1;
const BUCKETS = bucketOf(LARGEST_US) + 1;

function bucketOf(us: number): number {
  if (us < EXACT_BELOW_US) return us;
  const exponent = 31 - Math.clz32(us);
  const mantissa = us >>> (exponent - SUB_BITS);
  return EXACT_BELOW_US + (exponent - EXACT_BITS) * SUB_BUCKETS + (mantissa - SUB_BUCKETS);
}

/** The largest latency that falls into `bucket`. */
function upperUs(bucket: number): number {
  if (bucket < EXACT_BELOW_US) return bucket;
  const exponent = EXACT_BITS + Math.floor((bucket - EXACT_BELOW_US) / SUB_BUCKETS);
  const mantissa = SUB_BUCKETS + ((bucket - EXACT_BELOW_US) % SUB_BUCKETS);
  return (mantissa + 1) * 2 ** (exponent - SUB_BITS) - 1;
}

export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #maxUs = 0;

  /** Counts one latency; whole microseconds are kept. */
  record(latencyUs: number): void {
    const us = Math.min(Math.max(Math.trunc(latencyUs), 0), LARGEST_US);
    const bucket = bucketOf(us);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  get total(): number {
    return this.#total;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** The latency that `share` (0 to 1) of all are at or below; 0 when there are none. */
  percentileUs(share: number): number {
    const wanted = Math.max(Math.ceil(share * this.#total), 1);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return Math.min(upperUs(bucket), this.#maxUs);
    }
    return this.#maxUs;
  }
}
