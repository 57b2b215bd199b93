/**
 * Reads records from the index. LevelDB fails a read whose block is damaged, and with it all keys that
 * are read together; here only the key itself suffers, as one whose record is damaged.
 */
import type { Index } from './index-files.ts';
import { entryKey } from './index-keys.ts';

/** Found damaged by whoever decodes it, and then removed, which covers what lies in the block. */
const DAMAGED_RECORD = Buffer.alloc(0);

/** The records of `keys` in their order; undefined where there is none. */
export async function readRecords(
  index: Index,
  keys: readonly string[],
): Promise<(Buffer | undefined)[]> {
  if (keys.length === 0) return [];
  try {
    return await index.getMany(keys.map(entryKey));
  } catch (error) {
    if (!isDamage(error)) throw error;
    return Promise.all(keys.map((key) => readRecord(index, key)));
  }
}

async function readRecord(index: Index, key: string): Promise<Buffer | undefined> {
  try {
    return await index.get(entryKey(key));
  } catch (error) {
    if (isDamage(error)) return DAMAGED_RECORD;
    throw error;
  }
}

/** Reads one record at once. REQUIRES: it is in memory for sure, or the caller may wait. */
export function readRecordSync(index: Index, key: string): Buffer | undefined {
  try {
    return index.getSync(entryKey(key));
  } catch (error) {
    if (isDamage(error)) return DAMAGED_RECORD;
    throw error;
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LEVEL_CORRUPTION';
}
