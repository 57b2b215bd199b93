/**
 * The changes of the write lane that are about purges: their begin, their end, and what soft ones make of
 * entries. operations.ts has the others.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import { versionOf } from '../../../protocol/record.ts';
import type { SeenRecord } from '../operations.ts';
import type { LaneOperation } from '../write-lane.ts';
import type { PurgeMark } from './purge-matchers.ts';
import { PENDING_PURGES_MAX, type Purge } from './purges.ts';

/** What a purge selects, and what becomes of it. */
export type Selection = Omit<PurgeMark, 'version' | 'startedAtMs'>;

/** Begins a purge, which takes effect with its batch. Refused with PURGES_PENDING. */
export function purge(selection: Selection): LaneOperation<Purge> {
  return {
    keys: [],
    apply: (transaction) => {
      if (transaction.pendingPurges >= PENDING_PURGES_MAX) {
        throw new BigCacheError('PURGES_PENDING');
      }
      return transaction.purge(selection);
    },
  };
}

/** Forgets purges that are worked off, but for their reports. */
export function finishPurges(versions: readonly number[]): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      for (const version of versions) transaction.finishPurge(version);
    },
  };
}

/**
 * Makes exactly these records stale, as the pending soft purges say; answers how many were still there
 * and fresh when theirs began.
 */
export function soften(seen: readonly SeenRecord[]): LaneOperation<number> {
  return {
    keys: seen.map(({ key }) => key),
    apply: (transaction) => {
      let softened = 0;
      for (const { key, version } of seen) {
        const record = transaction.record(key);
        if (record === undefined || versionOf(record) !== version) continue;
        if (transaction.soften(key)) softened += 1;
      }
      return softened;
    },
  };
}

/** Takes a version for what changes nothing but needs an id of its own: a dry run. */
export function takeVersion(): LaneOperation<number> {
  return { keys: [], apply: (transaction) => transaction.takeVersion() };
}
