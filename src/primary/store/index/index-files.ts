/**
 * Opens the index, and never loses it: LevelDB makes an index anew where its CURRENT is missing, and
 * opens one with a damaged MANIFEST as if it were empty, deleting the tables. So an index is created
 * in one step apart from opening it, every open is made over a safety copy, and what was opened must
 * show the sentinel that its creation wrote.
 */
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { StoreDirectory } from '../../directory/directory.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import { inUse } from '../../directory/owner.ts';
import { CannotRunError } from '../../exit.ts';
import { dropAside, putBack, recoverAside, setAside } from './index-aside.ts';

export type Index = ClassicLevel<Buffer, Buffer>;

const MiB = 1024 * 1024;
const WRITE_BUFFER_BYTES = 16 * MiB;
const WRITE_BUFFER_BYTES_MIN = 2 * MiB;

/** What LevelDB collects in memory, and in a log, before it writes a table; less in a small store. */
export function writeBufferBytesFor(storeBytesMax: number): number {
  if (storeBytesMax === 0) return WRITE_BUFFER_BYTES;
  const share = Math.floor(storeBytesMax / 128);
  return Math.min(Math.max(share, WRITE_BUFFER_BYTES_MIN), WRITE_BUFFER_BYTES);
}

/**
 * How the index is opened. Job threads open it with the same options and the same path to the
 * letter; they never are the first to open it, and the first to open it closes it last.
 */
export const INDEX_OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  createIfMissing: false,
  multithreading: true,
  compression: false,
  writeBufferSize: WRITE_BUFFER_BYTES,
  cacheSize: 16 * MiB,
  maxOpenFiles: 1000,
} as const;

/** Present in every index since its creation, on disk. Never rename. */
export const SENTINEL = Buffer.from('msentinel');

/**
 * Opens the index of a directory that this process owns, creating it in a store without entries.
 * Throws a CannotRunError when it is damaged or in use; then its files are what they were before.
 */
export async function openIndex(
  directory: StoreDirectory,
  writeBufferBytes: number = WRITE_BUFFER_BYTES,
): Promise<Index> {
  try {
    await recoverAside(directory);
    const files = await readdir(directory.indexPath);
    if (files.length === 0) await create(directory);
    else if (!files.includes('CURRENT')) throw damaged(directory, 'its file CURRENT is missing');
    await setAside(directory);
    return await openOverAside(directory, writeBufferBytes);
  } catch (cause) {
    if (cause instanceof CannotRunError) throw cause;
    throw cannotOpen(directory, cause);
  }
}

/** REQUIRES: the index is set aside. It stays so only when this throws an error of the file system. */
async function openOverAside(directory: StoreDirectory, writeBufferBytes: number): Promise<Index> {
  const options = { ...INDEX_OPTIONS, writeBufferSize: writeBufferBytes };
  const index: Index = new ClassicLevel(directory.indexPath, options);
  try {
    await index.open();
    if ((await index.get(SENTINEL)) === undefined) {
      throw damaged(directory, 'what it opens with is not what was stored');
    }
    await dropAside(directory);
    return index;
  } catch (cause) {
    await index.close();
    if (hasCode(cause, 'LEVEL_LOCKED')) {
      // The files belong to whoever holds the lock, so nothing may be put back.
      await dropAside(directory);
      throw inUse(directory.path, { cause });
    }
    await putBack(directory);
    if (cause instanceof CannotRunError) throw cause;
    if (hasCode(cause, 'LEVEL_CORRUPTION')) throw damaged(directory, causeText(cause), cause);
    throw cannotOpen(directory, cause);
  }
}

/** Makes the index beside its place and moves it there whole, so that none is ever half made. */
async function create(directory: StoreDirectory): Promise<void> {
  if ((await readdir(directory.segmentsPath)).length > 0) {
    throw damaged(directory, 'it is empty although there are segments');
  }
  const path = join(directory.path, '.index-new');
  await rm(path, { recursive: true, force: true });
  const index: Index = new ClassicLevel(path, { ...INDEX_OPTIONS, createIfMissing: true });
  try {
    await index.put(SENTINEL, Buffer.from('1'), { sync: true });
  } finally {
    await index.close();
  }
  await syncDirectory(path);
  await rename(path, directory.indexPath);
  await syncDirectory(directory.path);
}

function damaged(directory: StoreDirectory, why: string, cause?: unknown): CannotRunError {
  return new CannotRunError(
    `the index ${directory.indexPath} is damaged (${why}); nothing was changed, ` +
      'put it back from a backup, or make it anew with bigcache rebuild',
    { cause },
  );
}

function cannotOpen(directory: StoreDirectory, cause: unknown): CannotRunError {
  return new CannotRunError(
    `the index ${directory.indexPath} cannot be opened: ${causeText(cause)}`,
    { cause },
  );
}

/** Whether LevelDB found its own structure damaged. */
export function isCorruption(error: unknown): boolean {
  return hasCode(error, 'LEVEL_CORRUPTION');
}

/** LevelDB's own code stands in the error of a read, and in the cause of the error of an open. */
function hasCode(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === code) || hasCode(error.cause, code);
}

/** LevelDB's own words, in one line. */
export function causeText(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return String(cause instanceof Error ? cause.message : cause).replaceAll(/\s+/g, ' ');
}
