/** The header fields of leases: `Cache-Lease`, `Cache-Lease-Token`, and `Prefer: wait` (RFC 7240). */
import type { IncomingHttpHeaders } from 'node:http';
import { BigCacheError } from '../../protocol/errors.ts';
import { costOfLease } from '../../protocol/lease-token.ts';
import { TOKEN_LENGTH_MAX } from '../../protocol/messages.ts';

export const LEASE_SECONDS_MAX = 300;
export const WAIT_SECONDS_MAX = 60;
const SECONDS = /^\d{1,10}$/;
const WAIT = /(?:^|[\s,;])wait\s*=\s*"?(\d{1,10})"?(?:$|[\s,;])/i;

/** The seconds for which a request asks for a lease. Throws REQUEST_INVALID. */
export function leaseSecondsOf(headers: IncomingHttpHeaders): number | undefined {
  const field = headers['cache-lease'];
  if (field === undefined) return undefined;
  const seconds = typeof field === 'string' && SECONDS.test(field) ? Number(field) : 0;
  if (seconds >= 1 && seconds <= LEASE_SECONDS_MAX) return seconds;
  const detail = `Cache-Lease is a number of seconds from 1 to ${LEASE_SECONDS_MAX}.`;
  throw new BigCacheError('REQUEST_INVALID', detail);
}

/**
 * The seconds that the client prefers to wait (RFC 7240 section 4.3), at most 60; 0 where it says nothing.
 * What cannot be read is passed over, as section 2 has it.
 */
export function waitSecondsOf({ prefer }: IncomingHttpHeaders): number {
  const seconds = typeof prefer === 'string' ? WAIT.exec(prefer)?.[1] : undefined;
  return seconds === undefined ? 0 : Math.min(Number(seconds), WAIT_SECONDS_MAX);
}

/** The token that comes with a request. Throws REQUEST_INVALID for what no lease has given. */
export function leaseTokenOf(headers: IncomingHttpHeaders): string | undefined {
  const field = headers['cache-lease-token'];
  if (field === undefined) return undefined;
  if (typeof field === 'string' && field !== '' && field.length <= TOKEN_LENGTH_MAX) return field;
  throw new BigCacheError('REQUEST_INVALID', 'Cache-Lease-Token is the token as it was given.');
}

/** What the entry that is stored with this token has cost to make, for its record. */
export function leaseCost(token: string | undefined, nowMs: number): { costMs?: number } {
  return token === undefined ? {} : { costMs: costOfLease(token, nowMs) };
}
