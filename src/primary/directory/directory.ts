/**
 * The guard at the store's door, run by the primary before anything is opened: finds the directory,
 * claims it, and refuses whatever is not a store of this version. Nothing is ever deleted here, and
 * nothing is made except in a directory that is new or empty.
 *
 *     bigcache.json   format version, creation time, instance id; written last, so its presence
 *                     means that the layout is whole
 *     index/          LevelDB
 *     segments/       bodies
 *     quarantine/     what was moved aside
 *     reserve         given up when the disk is full
 *     visited         which entries were read
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CannotRunError } from '../exit.ts';
import { DamagedStoreError } from './damaged-store.ts';
import { surveyDirectory } from './directory-survey.ts';
import { syncDirectory, writeFileAtomically } from './durable-files.ts';
import { claimDirectory, type Release } from './owner.ts';
import { removeLeftovers, settleDirectory } from './settle.ts';

/** The format this version writes, and the newest it reads. */
const FORMAT = 1;

/** Linux takes paths of 4,095 bytes; the names of our own files come on top of the directory's. */
const PATH_BYTES_MAX = 4095 - 64;

/** A store's directory that this process owns. All paths are absolute and free of links. */
export interface StoreDirectory {
  readonly path: string;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly quarantinePath: string;
  /** Hex; names this store for as long as it lives. */
  readonly instanceId: string;
  /** Whether this call made the store. */
  readonly isNew: boolean;
  /** Gives the directory up. Call it after the index is closed. */
  release(): Promise<void>;
}

/** Takes a damaged store out of its place, or throws why that is not done. */
export type OnDamage = (path: string, error: DamagedStoreError) => Promise<void>;

/**
 * Opens the store's directory, made when it is missing (its parent must be there). Throws a
 * CannotRunError that names the path when it is no directory of ours, not usable, or in use; a
 * DamagedStoreError when it is a store of ours that lacks what it needs, unless `onDamage` helps.
 */
export async function openDirectory(dbPath: string, onDamage?: OnDamage): Promise<StoreDirectory> {
  const { path, release } = await claimPlace(dbPath);
  try {
    return await naming(path, async () => {
      try {
        return await enter(path, release);
      } catch (error) {
        if (!(error instanceof DamagedStoreError) || onDamage === undefined) throw error;
        await onDamage(path, error);
        return await enter(path, release);
      }
    });
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * Claims the directory, made when it is missing, and looks at nothing in it. Throws a CannotRunError
 * when it cannot be used or is in use.
 */
export async function claimPlace(dbPath: string): Promise<{ path: string; release: Release }> {
  const path = await naming(dbPath, () => locate(resolve(dbPath)));
  return { path, release: await claimDirectory(path) };
}

/**
 * The same directory, looked at anew after its store was taken out of it: an empty store with an
 * identity of its own. The claim goes over to the result.
 */
export async function reenterDirectory({ path, release }: StoreDirectory): Promise<StoreDirectory> {
  return await naming(path, () => enter(path, release));
}

/** What the system's refusals mean for the person at the command line. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied; give the user that runs BigCache read and write access',
  EPERM: 'permission denied; give the user that runs BigCache read and write access',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's disk quota is used up",
  ENOENT: 'it cannot be made there',
  ENOTDIR: 'a part of the path is not a directory',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'the path is a loop of links',
};

/** Turns the system's errors into a refusal that names the path. */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (cause instanceof CannotRunError || typeof code !== 'string') throw cause;
    const why = REFUSALS[code] ?? (cause as Error).message;
    throw new CannotRunError(`${shorten(path)} cannot be used: ${why}`, { cause });
  }
}

/** A message is one line that can be read, also when the path is thousands of characters long. */
function shorten(path: string): string {
  return path.length <= 300 ? path : `${path.slice(0, 297)}...`;
}

/** The real path of the directory, made when only its last part is missing. */
async function locate(path: string): Promise<string> {
  const there = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (there === undefined) return make(path);
  const target = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new CannotRunError(`${path} is a link to nothing; make its target or remove the link`);
  });
  if (!target.isDirectory()) {
    throw new CannotRunError(`${path} is not a directory; choose another --db-path`);
  }
  return bounded(await realpath(path));
}

/**
 * Makes the directory, and that one only: making parents too would hide a mistyped path or a disk
 * that is not mounted, and never ends in some places (`/proc`).
 */
async function make(path: string): Promise<string> {
  const parent = await realpath(dirname(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new CannotRunError(`${path} cannot be made: make the directory ${dirname(path)} first`);
  });
  const real = bounded(join(parent, basename(path)));
  await access(parent, constants.W_OK | constants.X_OK);
  await mkdir(real).catch(unlessThere);
  await syncDirectory(parent);
  return real;
}

function bounded(realPath: string): string {
  if (Buffer.byteLength(realPath) > PATH_BYTES_MAX) {
    throw new CannotRunError(
      `${shorten(realPath)} cannot be used: a path of at most ${PATH_BYTES_MAX} bytes is needed`,
    );
  }
  return realPath;
}

/** Reads what is there, or makes the layout. REQUIRES: the claim on `path`. */
async function enter(path: string, release: Release): Promise<StoreDirectory> {
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  const places = {
    path,
    indexPath: join(path, 'index'),
    segmentsPath: join(path, 'segments'),
    quarantinePath: join(path, 'quarantine'),
  };
  await settleDirectory(path);
  // A newer version may have laid its directory out anew, so its number is read before its names.
  const known = await readIdentity(path);
  const isNew = (await surveyDirectory(path)) === 'empty';
  if (!isNew) await removeLeftovers(path);
  const instanceId = known ?? (await found(path));
  for (const place of [places.indexPath, places.segmentsPath, places.quarantinePath]) {
    if (!isNew) await mkdir(place).catch(unlessThere);
    await access(place, constants.R_OK | constants.W_OK | constants.X_OK);
  }
  return { ...places, instanceId, isNew, release };
}

/** Makes the layout; `bigcache.json` comes last, so a crash before leaves a directory to complete. */
async function found(path: string): Promise<string> {
  for (const name of ['index', 'segments', 'quarantine']) {
    await mkdir(join(path, name)).catch(unlessThere);
  }
  await syncDirectory(path);
  return await writeIdentity(path);
}

/**
 * Writes `bigcache.json`, with `more` after its own members; answers the instance id, a new one unless
 * `more` names it. REQUIRES: everything else of the store is there and on disk.
 */
export async function writeIdentity(
  path: string,
  more: Readonly<Record<string, unknown>> & { readonly instanceId?: string } = {},
): Promise<string> {
  const instanceId = more.instanceId ?? randomBytes(16).toString('hex');
  const identity = { format: FORMAT, createdAt: new Date().toISOString(), ...more, instanceId };
  await writeFileAtomically(
    join(path, 'bigcache.json'),
    join(path, '.bigcache.json.new'),
    `${JSON.stringify(identity, null, 2)}\n`,
  );
  return instanceId;
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** The instance id in `bigcache.json`; see readIdentityFile. */
export async function readIdentity(path: string): Promise<string | undefined> {
  return (await readIdentityFile(path))?.instanceId;
}

/** What `bigcache.json` says, members of later versions included. */
export type Identity = Readonly<Record<string, unknown>> & { readonly instanceId: string };

/**
 * The content of `bigcache.json`, once that file is found sound and not too new; undefined when there
 * is no such file.
 */
export async function readIdentityFile(path: string): Promise<Identity | undefined> {
  const file = join(path, 'bigcache.json');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const identity = parseObject(text);
  const format = identity?.['format'];
  if (typeof format === 'number' && Number.isInteger(format) && format > FORMAT) {
    throw new CannotRunError(
      `${path} has format version ${format}, newer than this BigCache reads (${FORMAT}); ` +
        'run the version that wrote it',
    );
  }
  const instanceId = identity?.['instanceId'];
  if (format !== FORMAT || typeof instanceId !== 'string' || !/^[0-9a-f]{8,64}$/.test(instanceId)) {
    throw new DamagedStoreError(`${file} is damaged`);
  }
  return { ...identity, instanceId };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
