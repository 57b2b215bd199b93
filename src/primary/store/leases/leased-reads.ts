/**
 * Reads with a lease, in the primary. A fresh entry is answered as in any read. Of the callers who
 * find none, or a stale one, the first gets the lease.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import { MISS_CODES, type MissCode } from '../../../protocol/miss.ts';
import { expiresAtOf, staleUntilOf } from '../../../protocol/record.ts';
import { tagsOf } from '../../../protocol/record-fields.ts';
import type { EntryStore, Lookup } from '../entry-store.ts';
import type { Acquired, Waiter } from './lease-table.ts';

/** Which stale entries a reader is shown. On the wire: never renumber. */
export const StaleWindow = { none: 0, whileRevalidate: 1, ifError: 2 } as const;

export interface LeaseAsked {
  readonly key: string;
  readonly leaseMs: number;
  /** One of `StaleWindow`. */
  readonly stale: number;
  /** Who waits where somebody else holds the lease. */
  readonly waiter: Waiter | undefined;
}

/** As it crosses the channel; docs/protocol.md. */
export type LeaseAnswer = readonly [
  found: Buffer | MissCode,
  token: string | null,
  retryAfterMs: number,
  isWaiting: boolean,
];

/**
 * Answers those of `asked` whose records are in memory by all appearances, in order; undefined for the
 * others. All are looked up before any is leased, so that one that fails takes no lease along; and in one
 * turn, so that nothing can come in between.
 */
export function leaseAtOnce(
  entries: EntryStore,
  asked: readonly LeaseAsked[],
): (LeaseAnswer | undefined)[] {
  const found = asked.map(({ key }) => entries.leases.missOf(key) ?? entries.lookUpAtOnce(key));
  return asked.map((one, at) => {
    const lookup = found[at];
    return lookup === undefined ? undefined : answer(entries, one, lookup);
  });
}

/**
 * Answers all of `asked`, which share one read of the index; none of them where they are not wanted any
 * more by then: a lease would be given to nobody.
 */
export async function leaseCold(
  entries: EntryStore,
  asked: readonly LeaseAsked[],
  areWanted: () => boolean = () => true,
): Promise<LeaseAnswer[]> {
  await entries.lookUp([...new Set(asked.map(({ key }) => key))]);
  if (!areWanted()) return [];
  // They were read just now, and are read again, since they may have changed in between.
  return asked.map((one) => {
    const found = entries.leases.missOf(one.key) ?? entries.lookUpSync(one.key);
    return answer(entries, one, found);
  });
}

/**
 * Throws LEASE_LOST where a write with this token would be refused as things stand, before its body has
 * come; who waits takes over then, as for the write. What the write itself is tagged with is judged with it.
 */
export function checkToken({ leases }: EntryStore, key: string, token: string): void {
  if (leases.isGood(key, [], token)) return;
  const refusal = new BigCacheError('LEASE_LOST');
  leases.noteRefused(key, token, refusal);
  throw refusal;
}

function answer(
  { leases }: EntryStore,
  { key, leaseMs, stale, waiter }: LeaseAsked,
  found: Lookup,
): LeaseAnswer {
  const { nowMs } = leases;
  if (typeof found === 'number') {
    return missed(found, leases.acquire(key, leaseMs, { miss: found, tags: [] }, waiter));
  }
  if (isFresh(found, nowMs)) return [found, null, 0, false];
  const leasedFor = { miss: undefined, tags: tagsOf(found) };
  if (!isShownStale(found, stale, nowMs)) {
    return missed(MISS_CODES.expired, leases.acquire(key, leaseMs, leasedFor, waiter));
  }
  return [found, leases.acquire(key, leaseMs, leasedFor).token ?? null, 0, false];
}

function missed(code: MissCode, { token, retryAfterMs, isWaiting }: Acquired): LeaseAnswer {
  return [code, token ?? null, Math.ceil(retryAfterMs), isWaiting];
}

function isFresh(record: Buffer, nowMs: number): boolean {
  const expiresAtMs = expiresAtOf(record);
  return expiresAtMs === 0 || expiresAtMs > nowMs;
}

function isShownStale(record: Buffer, stale: number, nowMs: number): boolean {
  if (stale === StaleWindow.none) return false;
  const { whileRevalidateMs, ifErrorMs } = staleUntilOf(record);
  return whileRevalidateMs > nowMs || (stale === StaleWindow.ifError && ifErrorMs > nowMs);
}
