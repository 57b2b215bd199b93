/**
 * The room that an index needs to be opened again: its log becomes tables, and a new log begins.
 */
import { statfs } from 'node:fs/promises';
import { BigCacheError } from '../../protocol/errors.ts';
import type { StoreDirectory } from '../directory/directory.ts';
import { writeBufferBytesFor } from './index/index-files.ts';

/** Logs that LevelDB may have to turn into tables, what those are merged into, and a new log. */
const WRITE_BUFFERS = 4;
const CODES = new Set(['ENOSPC', 'EDQUOT']);

/** 64 MiB, less in a store with a small `--max-size` (0 for none). */
export function reopenRoomBytesFor(storeBytesMax: number): number {
  return WRITE_BUFFERS * writeBufferBytesFor(storeBytesMax);
}

export async function hasRoom(
  { path }: Pick<StoreDirectory, 'path'>,
  bytes: number,
): Promise<boolean> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize >= bytes;
}

/** Whether a write failed for want of room, be it the system's error or ours. */
export function isLackOfRoom(error: unknown): boolean {
  if (error instanceof BigCacheError) return error.code === 'DISK_FULL';
  return CODES.has((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}
