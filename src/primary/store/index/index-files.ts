/**
 * Opens the index, and never loses it: LevelDB makes an index anew where its CURRENT is missing, and
 * opens one with a damaged MANIFEST as if it were empty, deleting the tables. So an index is created
 * in one step apart from opening it, its files are looked over first, every open is made over a
 * safety copy, and what was opened must show the sentinel that its creation wrote, and a sound state.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { DamagedStoreError } from '../../directory/damaged-store.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import { inUse } from '../../directory/owner.ts';
import { CannotRunError } from '../../exit.ts';
import { dropAside, keepFromAside, putBack, recoverAside, setAside } from './index-aside.ts';
import {
  DamagedFilesError,
  type Inspection,
  inspectIndex,
  type TableFile,
} from './index-inspection.ts';
import { DamagedValueError } from './index-keys.ts';
import { breakSeal } from './index-seal.ts';
import { readDrops } from './recovery-log.ts';
import { readStoredState } from './stored-state.ts';

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

const TABLE_BYTES = 8 * MiB;
const TABLE_BYTES_MIN = 2 * MiB;

/**
 * The size at which LevelDB ends a table: a start links and looks at each, and LevelDB keeps a descriptor
 * of each (docs/decisions/start-after-a-crash.md); less in a small store.
 */
function tableBytesFor(writeBufferBytes: number): number {
  return Math.min(Math.max(writeBufferBytes / 2, TABLE_BYTES_MIN), TABLE_BYTES);
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
  maxFileSize: TABLE_BYTES,
  cacheSize: 16 * MiB,
  maxOpenFiles: 1000,
} as const;

/** Present in every index since its creation, on disk. Never rename. */
export const SENTINEL = Buffer.from('msentinel');

/** Changes that were acknowledged and are gone, since a log of the index was damaged. */
export interface LostChanges {
  /** What LevelDB says it dropped; 0 where it noticed nothing. */
  readonly bytes: number;
  /** What is wrong, in one line each; never empty. */
  readonly causes: readonly string[];
  /** Where the logs are kept as they were found. */
  readonly keptIn: string;
}

export interface OpenedIndex {
  readonly index: Index;
  readonly lost: LostChanges | undefined;
  /** Tables with damaged records in them, which will be misses. */
  readonly damagedTables: readonly string[];
  /** Tables to be checked now that the index is open. */
  readonly unchecked: readonly TableFile[];
}

/**
 * Opens the index of a directory that this process owns, creating it in a store without entries.
 * Throws a DamagedStoreError when it is damaged, a CannotRunError when it is in use or cannot be
 * opened; then its files are what they were before.
 */
export async function openIndexChecked(
  directory: StoreDirectory,
  writeBufferBytes: number = WRITE_BUFFER_BYTES,
): Promise<OpenedIndex> {
  try {
    await recoverAside(directory);
    const files = await readdir(directory.indexPath);
    if (files.length === 0) await create(directory);
    else if (!files.includes('CURRENT')) throw damaged(directory, 'its file CURRENT is missing');
    const inspection = await inspectIndex(directory.indexPath);
    await setAside(directory);
    return await openOverAside(directory, inspection, writeBufferBytes);
  } catch (cause) {
    if (cause instanceof CannotRunError) throw cause;
    if (cause instanceof DamagedFilesError) throw damaged(directory, cause.message, cause);
    throw cannotOpen(directory, cause);
  }
}

/** REQUIRES: the index is set aside. It stays so only when this throws an error of the file system. */
async function openOverAside(
  directory: StoreDirectory,
  { lostInLogs, damagedTables, unchecked }: Inspection,
  writeBufferBytes: number,
): Promise<OpenedIndex> {
  const maxFileSize = tableBytesFor(writeBufferBytes);
  const options = { ...INDEX_OPTIONS, writeBufferSize: writeBufferBytes, maxFileSize };
  const index: Index = new ClassicLevel(directory.indexPath, options);
  try {
    await index.open();
    if ((await index.get(SENTINEL)) === undefined) {
      throw damaged(directory, 'what it opens with is not what was stored');
    }
    await readStoredState(index);
    const lost = await keepWhatIsLost(directory, lostInLogs);
    await breakSeal(directory.indexPath);
    await dropAside(directory);
    return { index, lost, damagedTables, unchecked };
  } catch (cause) {
    await index.close();
    if (hasCode(cause, 'LEVEL_LOCKED')) {
      // The files belong to whoever holds the lock, so nothing may be put back.
      await dropAside(directory);
      throw inUse(directory.path, { cause });
    }
    await putBack(directory);
    if (cause instanceof CannotRunError) throw cause;
    if (hasCode(cause, 'LEVEL_CORRUPTION') || cause instanceof DamagedValueError) {
      throw damaged(directory, causeText(cause), cause);
    }
    throw cannotOpen(directory, cause);
  }
}

/** The recovery has dropped what it could not read, so the logs are kept as they were before. */
async function keepWhatIsLost(
  directory: StoreDirectory,
  lostInLogs: readonly string[],
): Promise<LostChanges | undefined> {
  const { drops, bytes, logs } = await readDrops(directory.indexPath);
  const causes = [...lostInLogs];
  if (drops > 0) causes.push(`LevelDB dropped ${bytes} bytes of ${logs.join(', ') || 'a log'}`);
  if (causes.length === 0) return undefined;
  const keptIn = join(directory.quarantinePath, `index-${Date.now()}`);
  await mkdir(keptIn, { recursive: true });
  await keepFromAside(directory, /\.log$/, keptIn);
  return { bytes, causes, keptIn };
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

function damaged(directory: StoreDirectory, why: string, cause?: unknown): DamagedStoreError {
  return new DamagedStoreError(`the index ${directory.indexPath} is damaged (${why})`, { cause });
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
