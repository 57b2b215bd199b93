/**
 * The counters that every worker keeps and the primary sums: one table of names.
 */

export const COUNTERS = ['hit', 'miss', 'expire', 'delete'] as const;

export type CounterName = (typeof COUNTERS)[number];
export type Counters = Record<CounterName, number>;

/** Counters at zero, every name present. */
export function newCounters(): Counters {
  return { hit: 0, miss: 0, expire: 0, delete: 0 };
}

/** Adds `more` to `sum`, name by name. */
export function addCounters(sum: Counters, more: Counters): void {
  for (const name of COUNTERS) sum[name] += more[name];
}
