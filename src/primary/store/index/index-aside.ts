/**
 * The safety copy of the index around LevelDB's open, which may delete the tables of an index whose
 * MANIFEST is damaged. Hard links keep every file, as it was, in `.index-aside/`; they cost no space
 * and LevelDB never writes into a file that an earlier run left behind.
 *
 * INVARIANT: while `.index-aside/` exists under that name it is whole, and nothing was written to
 * the index that is not in it. It gets the name when its last link is made and loses it before the
 * first write, both by a rename that is synced; under `.index-aside.partial/` it is worth nothing.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../../directory/absent.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import { linkOrCopy } from '../../directory/second-name.ts';

type Places = Pick<StoreDirectory, 'path' | 'indexPath' | 'quarantinePath'>;

const asidePath = (places: Pick<Places, 'path'>): string => join(places.path, '.index-aside');
const partialPath = (places: Places): string => join(places.path, '.index-aside.partial');

/** Links every file of the index aside. REQUIRES: the index is closed, and nothing is aside. */
export async function setAside(places: Places): Promise<void> {
  const partial = partialPath(places);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial);
  for (const name of await filesOf(places.indexPath)) {
    await linkOrCopy(join(places.indexPath, name), join(partial, name));
  }
  await syncDirectory(partial);
  await rename(partial, asidePath(places));
  await syncDirectory(places.path);
}

/** Keeps files of the safety copy in `target`. REQUIRES: the copy is there. */
export async function keepFromAside(
  places: Places,
  pattern: RegExp,
  target: string,
): Promise<void> {
  for (const name of (await filesOf(asidePath(places))).filter((file) => pattern.test(file))) {
    await linkOrCopy(join(asidePath(places), name), join(target, name));
  }
}

/** Gives the safety copy up. After this the index may be written. */
export async function dropAside(places: Places): Promise<void> {
  const partial = partialPath(places);
  await rename(asidePath(places), partial);
  await syncDirectory(places.path);
  // What cannot be removed now is worth nothing already, and the next start tries again.
  await rm(partial, { recursive: true, force: true }).catch(() => {});
}

/**
 * Puts the index back exactly as it was when it was set aside, then drops the copy. What the open
 * has added is discarded. REQUIRES: the index is closed. May be repeated after a crash.
 */
export async function putBack(places: Places): Promise<void> {
  await restore(places, (path) => rm(path, { recursive: true }));
  await dropAside(places);
}

/**
 * Puts the index back when a start died between setting it aside and dropping the copy. What is in
 * the index and not in the copy goes to quarantine: that start made it, unless a person did since.
 */
export async function recoverAside(places: Places): Promise<void> {
  await rm(partialPath(places), { recursive: true, force: true });
  if ((await stat(asidePath(places)).catch(unlessMissing)) === undefined) return;
  const shelter = join(places.quarantinePath, `index-${Date.now()}`);
  await restore(places, async (path, name) => {
    await mkdir(shelter, { recursive: true });
    await rename(path, join(shelter, name));
  });
  await dropAside(places);
}

/** Makes the index equal to its copy; `take` removes a file of the index that is not in the copy. */
async function restore(
  places: Places,
  take: (path: string, name: string) => Promise<void>,
): Promise<void> {
  const kept = new Set(await filesOf(asidePath(places)));
  const present = new Set(await filesOf(places.indexPath));
  for (const name of kept) {
    const source = join(asidePath(places), name);
    const target = join(places.indexPath, name);
    if (present.has(name)) {
      if (await sameFile(source, target)) continue;
      await take(target, name);
    }
    await linkOrCopy(source, target);
  }
  for (const name of present) {
    if (!kept.has(name)) await take(join(places.indexPath, name), name);
  }
  await syncDirectory(places.indexPath);
}

/** The files that count: LOCK says who is there now, and must never be opened or linked. */
async function filesOf(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name !== 'LOCK');
}

async function sameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(one, { bigint: true }), stat(other, { bigint: true })]);
  return a.ino === b.ino && a.dev === b.dev;
}

/**
 * Where the index is whole: in the safety copy while there is one, since an open may have begun to
 * change the index itself.
 */
export async function safestIndexPath(places: Pick<Places, 'path' | 'indexPath'>): Promise<string> {
  const aside = asidePath(places);
  return (await stat(aside).catch(unlessMissing)) === undefined ? places.indexPath : aside;
}
