/**
 * A look into the index that changes nothing: LevelDB writes when it opens a database, so it is given
 * hard links of the files in a directory of their own. What it writes and deletes there leaves the
 * index as it is, because it never writes into a file that it finds.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { unlessMissing } from '../../directory/absent.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { linkOrCopy } from '../../directory/second-name.ts';
import { safestIndexPath } from './index-aside.ts';
import { causeText, INDEX_OPTIONS, type Index, SENTINEL } from './index-files.ts';
import {
  type BeforeTable,
  DamagedFilesError,
  type Inspection,
  inspectIndex,
} from './index-inspection.ts';
import { type DroppedChanges, readDrops } from './recovery-log.ts';

type Places = Pick<StoreDirectory, 'path' | 'indexPath'>;

export interface IndexCopy {
  /** Where the links are. */
  readonly path: string;
  readonly index: Index;
  /** Whether it is the index that was stored, and not one that LevelDB has taken for empty. */
  readonly hasSentinel: boolean;
  /** What LevelDB could not read of its log. */
  readonly dropped: DroppedChanges;
  /** What was found in the files before the open. */
  readonly inspection: Inspection;
  /** Closes it and removes the links. */
  close(): Promise<void>;
}

/** The index does not open. The message says why, in one line. */
export class UnreadableIndexError extends Error {}

/** LOCK must never be touched; the text files are begun anew by every open. */
const LEFT_OUT: ReadonlySet<string> = new Set(['LOCK', 'LOG', 'LOG.old']);

/** Where the links are made; a crash's leftover is removed by the next look. */
export const copyPath = (places: Places): string => join(places.path, '.index-look');

export interface IndexCopyOptions {
  /** Whether job threads may open it too. */
  readonly isShared?: boolean;
  readonly beforeTable?: BeforeTable;
}

/**
 * Opens a copy of the index. Throws an UnreadableIndexError when its files do not allow it; other
 * errors are the file system's. REQUIRES: the index is closed, and the directory is ours.
 */
export async function openIndexCopy(
  places: Places,
  { isShared = false, beforeTable }: IndexCopyOptions = {},
): Promise<IndexCopy> {
  const path = copyPath(places);
  await rm(path, { recursive: true, force: true });
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    const source = await safestIndexPath(places);
    await mkdir(path);
    for (const name of (await readdir(source).catch(unlessMissing)) ?? []) {
      const file = join(source, name);
      if (!LEFT_OUT.has(name) && (await stat(file)).isFile()) {
        await linkOrCopy(file, join(path, name));
      }
    }
    const inspection = await inspect(path, beforeTable);
    const index = await open(path, isShared);
    const close = async (): Promise<void> => {
      await index.close();
      await remove();
    };
    const hasSentinel = (await index.get(SENTINEL).catch(() => undefined)) !== undefined;
    return { path, index, hasSentinel, dropped: await readDrops(path), inspection, close };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** LevelDB takes some damage for content, and ends the process over some, so all is looked at first. */
async function inspect(path: string, beforeTable?: BeforeTable): Promise<Inspection> {
  if (!(await readdir(path)).includes('CURRENT')) {
    throw new UnreadableIndexError('its file CURRENT is missing');
  }
  try {
    return await inspectIndex(path, { depth: 'everything', beforeTable });
  } catch (error) {
    if (!(error instanceof DamagedFilesError)) throw error;
    throw new UnreadableIndexError(error.message, { cause: error });
  }
}

async function open(path: string, isShared: boolean): Promise<Index> {
  const index: Index = new ClassicLevel(path, { ...INDEX_OPTIONS, multithreading: isShared });
  try {
    await index.open();
    return index;
  } catch (cause) {
    throw new UnreadableIndexError(causeText(cause).replaceAll(`${path}/`, ''), { cause });
  }
}
