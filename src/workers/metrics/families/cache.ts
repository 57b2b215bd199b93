/** What a cache is for: reads and what they found, entries and how they go, leases, time saved. */
import { byName, counter, type Family, gauge, inMs, labelled } from '../family.ts';

export const CACHE_FAMILIES: readonly Family[] = [
  labelled(
    'counter',
    'bigcache_reads_total',
    'reads',
    ['result'],
    'Reads of entries by what they found: hit, stale, miss, expired',
    ({ counters, workers }) =>
      byName({
        hit: workers.freshHits,
        stale: workers.staleHits,
        miss: counters.miss,
        expired: counters.expire,
      }),
  ),
  gauge(
    'bigcache_entries',
    'entries',
    'Entries in the store, those included that are expired or purged and not yet removed',
    ({ store }) => store.entries,
  ),
  counter(
    'bigcache_deleted_entries_total',
    'deleted',
    'Entries that clients removed, by key or by prefix',
    ({ counters }) => counters.delete,
  ),
  counter(
    'bigcache_evicted_entries_total',
    'evicted',
    'Entries that had to make room',
    ({ storeCounts }) => storeCounts.evicted,
  ),
  counter(
    'bigcache_damaged_entries_total',
    'damaged',
    'Entries that a read found damaged; they were dropped',
    ({ workers }) => workers.damagedEntries,
  ),
  gauge(
    'bigcache_purges_pending',
    'purges.pending',
    'Purges that are in force and whose entries are not all removed yet',
    ({ store }) => store.purgesPending,
  ),
  counter(
    'bigcache_purges_finished_total',
    'purges.finished',
    'Purges whose entries are all removed',
    ({ storeCounts }) => storeCounts.purgesFinished,
  ),
  gauge(
    'bigcache_leases_held',
    'leases.held',
    'Leases that somebody holds',
    ({ store }) => store.leasesHeld,
  ),
  gauge(
    'bigcache_lease_waiters',
    'leases.waiting',
    'Requests that wait for what a lease is held for',
    ({ store }) => store.leaseWaiters,
  ),
  counter(
    'bigcache_leases_given_total',
    'leases.given',
    'Leases that were given in all',
    ({ storeCounts }) => storeCounts.leasesGiven,
  ),
  counter(
    'bigcache_leases_handed_over_total',
    'leases.handedOver',
    'Leases that went to one who waited',
    ({ storeCounts }) => storeCounts.leasesHandedOver,
  ),
  counter(
    'bigcache_leases_lost_total',
    'leases.lost',
    'Writes with a token that came after the key was written, deleted or purged',
    ({ storeCounts }) => storeCounts.leasesLost,
  ),
  counter(
    'bigcache_leases_refused_total',
    'leases.refused',
    'Callers who got neither lease nor wait, since there were too many',
    ({ storeCounts }) => storeCounts.leasesRefused,
  ),
  counter(
    'bigcache_saving_hits_total',
    'timeSaved.hits',
    'Hits on entries whose generation cost is known',
    ({ savings }) => savings.total.hits,
  ),
  inMs(
    counter(
      'bigcache_saved_seconds_total',
      'timeSaved.savedMs',
      'Generation time that hits have saved',
      ({ savings }) => savings.total.savedMs,
    ),
  ),
];
