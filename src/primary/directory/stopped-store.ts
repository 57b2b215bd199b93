/**
 * The door of the commands that work on a store whose server is stopped: they never make a store
 * where none is, and one of them gets in where the index or `bigcache.json` is missing.
 */
import { access, constants, mkdir, realpath, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CannotRunError } from '../exit.ts';
import { unlessMissing } from './absent.ts';
import { DamagedStoreError } from './damaged-store.ts';
import {
  naming,
  openDirectory,
  readIdentity,
  type StoreDirectory,
  writeIdentity,
} from './directory.ts';
import { surveyDirectory, surveyForRebuild } from './directory-survey.ts';
import { syncDirectory } from './durable-files.ts';
import { lockHolder } from './index-lock.ts';
import { claimDirectory, inUse } from './owner.ts';
import { removeLeftovers, settleDirectory } from './settle.ts';

/** The same as a start would open, but for a directory without a store, which is refused. */
export async function openStoppedStore(dbPath: string): Promise<StoreDirectory> {
  await locateStore(dbPath);
  return await unlocked(await openDirectory(dbPath));
}

/** A directory with a store in it, sound or not. */
export interface StoreToVerify
  extends Pick<StoreDirectory, 'path' | 'indexPath' | 'segmentsPath' | 'release'> {
  /** Why a start would not take it for a whole store, whatever is in its files. */
  readonly damage: string | undefined;
}

/** Opens a store to look at it. Makes nothing, not even what the store lacks. */
export async function openToVerify(dbPath: string): Promise<StoreToVerify> {
  const path = await locateStore(dbPath);
  const release = await claimDirectory(path);
  try {
    return await naming(path, async () => {
      await settleDirectory(path);
      const damage = await damageOf(path);
      await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
      const [indexPath, segmentsPath] = [join(path, 'index'), join(path, 'segments')];
      return await unlocked({ path, indexPath, segmentsPath, damage, release });
    });
  } catch (error) {
    await release();
    throw error;
  }
}

async function damageOf(path: string): Promise<string | undefined> {
  try {
    await readIdentity(path);
    await surveyDirectory(path);
    return undefined;
  } catch (error) {
    if (!(error instanceof DamagedStoreError)) throw error;
    return error.what;
  }
}

/** A directory with segments, whatever else of the store has been lost. */
export interface BereftStore extends Omit<StoreDirectory, 'instanceId' | 'isNew'> {
  /** undefined where `bigcache.json` is missing or damaged. */
  readonly instanceId: string | undefined;
}

/** Opens a directory to make its index anew. Throws a CannotRunError where that cannot be done. */
export async function openForRebuild(dbPath: string): Promise<BereftStore> {
  const path = await locateStore(dbPath);
  const release = await claimDirectory(path);
  try {
    return await naming(path, async () => {
      // A start would put a restored index in the place of the new one.
      await settleDirectory(path);
      const instanceId = await readIdentity(path).catch(unlessDamaged);
      await surveyForRebuild(path);
      await removeLeftovers(path);
      await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
      const [indexPath, segmentsPath, quarantinePath] = ['index', 'segments', 'quarantine'].map(
        (name) => join(path, name),
      ) as [string, string, string];
      for (const place of [indexPath, quarantinePath]) await mkdir(place, { recursive: true });
      const places = { path, indexPath, segmentsPath, quarantinePath };
      return await unlocked({ ...places, instanceId, release });
    });
  } catch (error) {
    await release();
    throw error;
  }
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof DamagedStoreError)) throw error;
}

/**
 * Gives the store an identity of its own, where it has lost the one it had. What is left of that goes
 * to quarantine. REQUIRES: everything else of the store is there and on disk.
 */
export async function renewIdentity({ path, quarantinePath }: BereftStore): Promise<void> {
  const shelter = join(quarantinePath, `${Date.now()}-bigcache.json`);
  await rename(join(path, 'bigcache.json'), shelter).catch(unlessMissing);
  await syncDirectory(quarantinePath);
  await writeIdentity(path);
}

/** The real path of a directory that is there. */
async function locateStore(dbPath: string): Promise<string> {
  const path = await naming(dbPath, async () => {
    const real = await realpath(resolve(dbPath)).catch(unlessMissing);
    return real !== undefined && (await isStore(real)) ? real : undefined;
  });
  if (path === undefined) throw new CannotRunError(`there is no store in ${resolve(dbPath)}`);
  return path;
}

/** Whether anything of a store is there. What else is there is judged by others. */
async function isStore(path: string): Promise<boolean> {
  for (const name of ['bigcache.json', 'index', 'segments']) {
    const found = await stat(join(path, name)).catch(unlessMissing);
    if (found !== undefined) return true;
  }
  return false;
}

/** Our claim does not reach into other containers that share the volume; LevelDB's lock does. */
async function unlocked<T extends Pick<StoreDirectory, 'path' | 'indexPath' | 'release'>>(
  directory: T,
): Promise<T> {
  if ((await lockHolder(directory.indexPath)) === undefined) return directory;
  await directory.release();
  throw inUse(directory.path);
}
