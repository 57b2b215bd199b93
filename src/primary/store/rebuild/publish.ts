/**
 * Puts a new index in the place of the old one, which goes to quarantine. A crash at any moment leaves
 * either the old index, or the new one, or none, and then the rebuild is run again.
 */
import { mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { StoreDirectory } from '../../directory/directory.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import { recoverAside } from '../index/index-aside.ts';

type Places = Pick<StoreDirectory, 'path' | 'indexPath' | 'quarantinePath'>;

/** Where a new index is made. An unfinished one is removed by whoever makes the next. */
export const newIndexPath = (places: Pick<Places, 'path'>): string =>
  join(places.path, '.index-new');

/**
 * Ends what an interrupted start left behind: its safety copy would be put in the place of the new
 * index by the next start.
 */
export async function settleOldIndex(places: Places): Promise<void> {
  await recoverAside(places);
}

/**
 * Moves the new index into its place. Answers where in the quarantine the old one is; undefined where
 * there was nothing of it. REQUIRES: the new index is finished, and the old one settled.
 */
export async function publishIndex(places: Places): Promise<string | undefined> {
  const isEmpty = (await readdir(places.indexPath)).length === 0;
  const shelter = isEmpty ? undefined : await newShelter(places.quarantinePath);
  if (shelter === undefined) await rmdir(places.indexPath);
  else await rename(places.indexPath, shelter);
  await syncDirectory(places.quarantinePath);
  await rename(newIndexPath(places), places.indexPath);
  await syncDirectory(places.path);
  return shelter && basename(shelter);
}

/** An empty folder `index-<ms>` of its own, which a rename replaces. */
async function newShelter(quarantinePath: string): Promise<string> {
  for (let atMs = Date.now(); ; atMs++) {
    const path = join(quarantinePath, `index-${atMs}`);
    try {
      await mkdir(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
