/**
 * The compaction of a stopped store. It is about the index: what is deleted goes from its tables, and
 * each key lies in one of them. Garbage in segments is reclaimed by the server.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreDirectory } from '../../directory/directory.ts';
import { stretchesOf } from '../../store/index/index-compaction.ts';
import {
  type Index,
  type LostChanges,
  openIndexChecked,
  SENTINEL,
} from '../../store/index/index-files.ts';
import { endChecking } from '../../store/index/index-inspection.ts';
import { sealIndex } from '../../store/index/index-seal.ts';
import { noteLostChanges } from '../../store/state.ts';

export interface CompactOptions {
  readonly directory: StoreDirectory;
  /** Told after each stretch: the share that is done, and the bytes gone through. */
  readonly onProgress: (share: number, bytes: number) => void;
  /** Asked between stretches whether to stop; what is done then stays done. */
  readonly shouldStop: () => boolean;
}

export interface CompactResult {
  readonly path: string;
  readonly isComplete: boolean;
  /** Bytes of all files of the index. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** What the open has found lost; the next start counts again. */
  readonly lost: LostChanges | undefined;
  /** Tables in which the open has found damaged records. */
  readonly damagedTables: readonly string[];
}

/** Compacts the index. Throws a CannotRunError where it does not open, and what LevelDB fails with. */
export async function compactStore(options: CompactOptions): Promise<CompactResult> {
  const { path, indexPath } = options.directory;
  const bytesBefore = await bytesIn(indexPath);
  const { index, lost, damagedTables } = await openIndexChecked(options.directory);
  let isComplete: boolean;
  try {
    if (lost !== undefined) await noteLostChanges(index);
    isComplete = await compact(index, options);
  } finally {
    await index.close();
  }
  // As a server closes it, so that the next start knows how it was left and need not check all of it.
  await endChecking(indexPath);
  const bytesAfter = await bytesIn(indexPath);
  await sealIndex(indexPath);
  return { path, isComplete, bytesBefore, bytesAfter, lost, damagedTables };
}

/** Answers whether it came to the end. */
async function compact(index: Index, { onProgress, shouldStop }: CompactOptions): Promise<boolean> {
  const stretches = await stretchesOf(index);
  const sentinel = await index.get(SENTINEL);
  if (sentinel === undefined) throw new Error('INVARIANT: an index that opens has the sentinel');
  const totalBytes = stretches.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  for (const { start, end, bytes } of stretches) {
    if (shouldStop()) return false;
    await index.compactRange(start, end);
    // LevelDB keeps the error of a compaction to itself until the next write.
    await index.put(SENTINEL, sentinel, { sync: true });
    doneBytes += bytes;
    onProgress(doneBytes / Math.max(1, totalBytes), doneBytes);
  }
  return true;
}

async function bytesIn(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += (await stat(join(path, name))).size;
  return bytes;
}
