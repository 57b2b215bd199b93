/** The writing of many changes to the index at once, in the primary. */
import type { Index } from './index-files.ts';

/** One change of the index. */
export type IndexChange =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

/**
 * Writes all changes or none; on disk before it resolves with `sync`. Handed over one by one: a batch in
 * one array is cloned and encoded change by change, which keeps the event loop busy for 6 to 11 us each
 * instead of 1 us. Rejects with LevelDB's error.
 */
export async function writeChanges(
  index: Index,
  changes: readonly IndexChange[],
  sync: boolean,
): Promise<void> {
  const batch = index.batch();
  for (const change of changes) {
    if (change.type === 'put') batch.put(change.key, change.value);
    else batch.del(change.key);
  }
  await batch.write({ sync });
}
