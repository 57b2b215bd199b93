/**
 * The directory that a backup is made in. It becomes a store of its own by its last file,
 * `bigcache.json`: without it no server and no restore takes it for one.
 */
import { mkdir, readdir, realpath, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import { unlessMissing } from '../../directory/absent.ts';
import { writeIdentity } from '../../directory/directory.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import { claimDirectory, type Release } from '../../directory/owner.ts';
import { CannotRunError } from '../../exit.ts';

/** Left free beside what is written, where the target shares its disk with the store. */
const ROOM_LEFT_BYTES = 64 * 1024 * 1024;

export class BackupTarget {
  readonly path: string;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly #release: Release;
  /** Whether the directory itself was made, and goes again when there is no backup. */
  readonly #isMade: boolean;

  private constructor(path: string, release: Release, isMade: boolean) {
    this.path = path;
    this.indexPath = join(path, 'index');
    this.segmentsPath = join(path, 'segments');
    this.#release = release;
    this.#isMade = isMade;
  }

  /**
   * Claims `to`, an absolute path that is missing or an empty directory, and begins it. Throws a
   * CannotRunError for everything else.
   */
  static async begin(to: string, storePath: string): Promise<BackupTarget> {
    if (!isAbsolute(to)) throw new CannotRunError(`${to} is not an absolute path`);
    const path = await locate(to);
    if (contains(storePath, path)) {
      throw new CannotRunError(`${path} is inside the store ${storePath}; choose another place`);
    }
    if (contains(path, storePath)) {
      throw new CannotRunError(`${path} holds the store ${storePath}; choose another place`);
    }
    // A server that was started on it meanwhile would make a store of it.
    const release = await claimDirectory(path);
    try {
      const isMade = await makeOrCheck(path);
      await mkdir(join(path, 'segments'));
      return new BackupTarget(path, release, isMade);
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Throws a CannotRunError where there is not room for so many bytes. */
  async requireRoom(bytes: number, sharesDisk: boolean): Promise<void> {
    const { bavail, bsize } = await statfs(this.path);
    const free = bavail * bsize - (sharesDisk ? ROOM_LEFT_BYTES : 0);
    if (free >= bytes) return;
    throw new CannotRunError(
      `the backup needs about ${bytes} bytes and there are ${Math.max(0, free)} at ${this.path}`,
    );
  }

  /** Whether a file of the store's directory may get a second name here. */
  async sharesDiskWith(directory: string): Promise<boolean> {
    return (await stat(directory)).dev === (await stat(this.path)).dev;
  }

  /** Makes a store of it. REQUIRES: every file is on disk. */
  async finish(about: Readonly<Record<string, unknown>>): Promise<void> {
    await mkdir(join(this.path, 'quarantine'));
    await syncDirectory(this.segmentsPath);
    await syncDirectory(this.path);
    await writeIdentity(this.path, { backup: about });
    await syncDirectory(dirname(this.path));
    await this.#release();
  }

  /** Removes what was made; a directory that was there before stays, empty. */
  async discard(): Promise<void> {
    for (const name of ['index', 'segments', 'quarantine', '.bigcache.json.new']) {
      await rm(join(this.path, name), { recursive: true, force: true });
    }
    if (this.#isMade) await rmdir(this.path).catch(() => undefined);
    await this.#release();
  }
}

/** The real path; only its last part may be missing. */
async function locate(to: string): Promise<string> {
  const real = await realpath(to).catch(unlessMissing);
  if (real !== undefined) return real;
  const parent = await realpath(dirname(to)).catch(unlessMissing);
  if (parent === undefined) {
    throw new CannotRunError(`${to} cannot be made: make the directory ${dirname(to)} first`);
  }
  return join(parent, basename(to));
}

/** Makes the directory, or finds that it is empty; answers whether it was made. */
async function makeOrCheck(path: string): Promise<boolean> {
  const there = await stat(path).catch(unlessMissing);
  if (there === undefined) {
    await mkdir(path);
    return true;
  }
  if (!there.isDirectory()) throw new CannotRunError(`${path} is not a directory`);
  const names = (await readdir(path)).filter((name) => name !== 'lost+found');
  if (names.length === 0) return false;
  const isUnfinished = names.includes('segments') && !names.includes('bigcache.json');
  throw new CannotRunError(
    isUnfinished
      ? `${path} holds a backup that was not finished; remove it or choose another place`
      : `${path} is not empty; a backup needs a directory that is missing or empty`,
  );
}

/** Whether `inner` is `outer` or lies in it. Both are real paths. */
export function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}
