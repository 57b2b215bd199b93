/**
 * The eviction of many entries, by the primary, in pieces that the write lane is not held up by.
 */
import type { Logger } from 'pino';
import { loggedKey } from '../../../protocol/logged-key.ts';
import type { EntryStore } from '../entry-store.ts';
import type { SeenAt } from '../operations.ts';

/** Records in one operation of the write lane. */
export const ENTRIES_PER_OPERATION = 64;

export interface Evicting {
  readonly store: Pick<EntryStore, 'evict'>;
  readonly log: Logger;
}

/** Evicts these records unless they changed since; answers how many could be read until then. */
export async function evictEntries(
  seen: readonly SeenAt[],
  { store, log }: Evicting,
): Promise<number> {
  let evicted = 0;
  for (let from = 0; from < seen.length; from += ENTRIES_PER_OPERATION) {
    const some = seen.slice(from, from + ENTRIES_PER_OPERATION);
    if (log.isLevelEnabled('trace')) {
      // Before they go, so that whoever reads the log can tell an eviction from a loss.
      const keys = some.map(({ key }) => loggedKey(key));
      log.trace({ evicting: keys }, 'evicting');
    }
    evicted += (await store.evict(some)).length;
  }
  return evicted;
}
