/** `Cache-Status` (RFC 9211): whether an answer came from the cache, for how long still, or why not. */
import type { MissReason } from '../../protocol/miss.ts';
import { type Freshness, ttlSeconds } from './freshness.ts';

const NAME = 'BigCache';

/** Of a hit; the lifetime that is left is negative when it is stale. */
export function hitStatus(entry: Pick<Freshness, 'expiresAtMs'>, nowMs: number): string {
  const ttl = entry.expiresAtMs === 0 ? '' : `; ttl=${ttlSeconds(entry, nowMs)}`;
  return `${NAME}; hit${ttl}`;
}

/** What has expired long ago has expired all the same. */
export function missStatus(reason: MissReason): string {
  return `${NAME}; detail=${reason === 'swept' ? 'expired' : reason}`;
}
