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

/** The counters as they cross the channel: values in the order of COUNTERS. */
export function countersToList(counters: Counters): number[] {
  return COUNTERS.map((name) => counters[name]);
}

/** Reads a list of counters; what is missing or no count becomes 0. */
export function countersFromList(values: unknown): Counters {
  const list: unknown[] = Array.isArray(values) ? values : [];
  const counters = newCounters();
  COUNTERS.forEach((name, at) => {
    const value = list[at];
    if (typeof value === 'number' && Number.isSafeInteger(value)) counters[name] = value;
  });
  return counters;
}
