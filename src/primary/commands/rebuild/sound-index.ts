/**
 * Keeps a rebuild from taking an index away that is sound: what comes back without trust is stale, so
 * the cache would be empty.
 */
import type { BereftStore } from '../../directory/stopped-store.ts';
import { CannotRunError } from '../../exit.ts';
import { openIndexCopy, UnreadableIndexError } from '../../store/index/index-copy.ts';
import { isCorruption } from '../../store/index/index-files.ts';
import { DamagedValueError } from '../../store/index/index-keys.ts';
import { readStoredState } from '../../store/index/stored-state.ts';

/**
 * Throws a CannotRunError when the store opens as it is, with all that was stored. `beforeTable` is
 * called before each table, and may throw to end the look at it.
 */
export async function refuseSoundIndex(
  directory: BereftStore,
  beforeTable: () => void,
): Promise<void> {
  if (directory.instanceId === undefined) return;
  const entries = await soundEntries(directory, beforeTable);
  if (entries === undefined) return;
  throw new CannotRunError(
    `the index of ${directory.path} is sound; a rebuild would let all of its ${entries} entries expire at ` +
      'once, and deleted ones come back; check the store with `bigcache verify`, or give --force to ' +
      'rebuild all the same (--trust keeps what comes back valid); nothing was changed',
  );
}

/** How many entries it has; undefined where anything of it is lost or damaged. */
async function soundEntries(
  directory: BereftStore,
  beforeTable: () => void,
): Promise<number | undefined> {
  try {
    const { index, dropped, inspection, hasSentinel, close } = await openIndexCopy(directory, {
      beforeTable,
    });
    try {
      const { lostInLogs, damagedTables } = inspection;
      const isWhole = dropped.drops + lostInLogs.length + damagedTables.length === 0;
      if (!isWhole || !hasSentinel) return undefined;
      const { count, countsAreSure } = await readStoredState(index);
      return countsAreSure ? count : undefined;
    } finally {
      await close();
    }
  } catch (error) {
    const isDamage =
      error instanceof UnreadableIndexError ||
      error instanceof DamagedValueError ||
      isCorruption(error);
    if (!isDamage) throw error;
    return undefined;
  }
}
