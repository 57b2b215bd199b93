/**
 * What is counted of leases, by the primary: one table of names. `held` and `waiting` are as of now, the
 * others since the store was opened.
 */
import { Savings } from './savings.ts';

export const LEASE_COUNTS = [
  'held',
  'waiting',
  /** Leases that were given in all. */
  'given',
  /** Of those, how many went to one who waited. */
  'handedOver',
  /** Writes with a token that came too late. */
  'lost',
  /** Callers who got neither lease nor wait, since there were too many. */
  'refused',
] as const;

export type LeaseCounts = Record<(typeof LEASE_COUNTS)[number], number>;

/** The counts as they cross the channel: values in the order of LEASE_COUNTS. */
export function leaseCountsToList(counts: LeaseCounts): number[] {
  return LEASE_COUNTS.map((name) => counts[name]);
}

/** Reads a list of counts; what is missing or no count becomes 0. */
export function leaseCountsFromList(values: unknown): LeaseCounts {
  const list: unknown[] = Array.isArray(values) ? values : [];
  const counts: LeaseCounts = {
    held: 0,
    waiting: 0,
    given: 0,
    handedOver: 0,
    lost: 0,
    refused: 0,
  };
  LEASE_COUNTS.forEach((name, at) => {
    const value = list[at];
    if (typeof value === 'number' && Number.isSafeInteger(value)) counts[name] = value;
  });
  return counts;
}

/** What the primary knows of leases and of what they are for. */
export interface LeaseSums {
  /** Of all workers, dead ones included. */
  readonly savings: Savings;
  readonly leases: LeaseCounts;
}

/** Reads the primary's answer to `sumLeases`. */
export function leaseSumsFromList(values: unknown): LeaseSums {
  const [savings, counts]: unknown[] = Array.isArray(values) ? values : [];
  return { savings: Savings.fromList(savings), leases: leaseCountsFromList(counts) };
}
