/** The counting of reads, the same for every route that shows entries. */
import type { RouteDeps } from '../deps.ts';
import { isStale } from '../http/freshness.ts';
import type { Hit, Miss } from '../store/store.ts';

/** Counts what a read of `key` has found, and the generation time that a hit has saved. */
export function countRead(
  { counters, savings, traffic, now }: RouteDeps,
  key: string,
  found: Hit | Miss,
): void {
  if (!found.found) {
    counters[found.reason === 'expired' ? 'expire' : 'miss'] += 1;
    return;
  }
  const { record } = found;
  counters.hit += 1;
  if (record.expiresAtMs !== 0 && isStale(record, now())) traffic.counts.staleHits += 1;
  savings.noteHit(key, record.costMs);
}
