/**
 * The compaction of a stopped store. It is about the index: what is deleted goes from its tables, and
 * each key lies in one of them. Garbage in segments is reclaimed by the server; a command for that
 * would call the server's own reclaim here, after the index.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreDirectory } from '../../directory/directory.ts';
import { stretchesOf } from '../../store/index/index-compaction.ts';
import { openIndex } from '../../store/index/index-files.ts';

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
}

/** Compacts the index. Throws a CannotRunError where it does not open. */
export async function compactStore(options: CompactOptions): Promise<CompactResult> {
  const { directory, onProgress, shouldStop } = options;
  const bytesBefore = await bytesIn(directory.indexPath);
  const index = await openIndex(directory);
  let isComplete = false;
  try {
    const stretches = await stretchesOf(index);
    const totalBytes = stretches.reduce((sum, { bytes }) => sum + bytes, 0);
    let doneBytes = 0;
    for (const [at, { start, end, bytes }] of stretches.entries()) {
      if (shouldStop()) break;
      await index.compactRange(start, end);
      doneBytes += bytes;
      onProgress(doneBytes / Math.max(1, totalBytes), doneBytes);
      isComplete = at === stretches.length - 1;
    }
  } finally {
    await index.close();
  }
  const bytesAfter = await bytesIn(directory.indexPath);
  return { path: directory.path, isComplete, bytesBefore, bytesAfter };
}

async function bytesIn(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += (await stat(join(path, name))).size;
  return bytes;
}
