/**
 * The room that an index needs to be opened again: its log becomes tables, and a new log begins.
 */
import { statfs } from 'node:fs/promises';
import type { StoreDirectory } from '../directory/directory.ts';

export const REOPEN_ROOM_BYTES = 64 * 1024 * 1024;

export async function freeBytesOf({ path }: Pick<StoreDirectory, 'path'>): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

export async function hasRoomToReopen(directory: Pick<StoreDirectory, 'path'>): Promise<boolean> {
  return (await freeBytesOf(directory)) >= REOPEN_ROOM_BYTES;
}
