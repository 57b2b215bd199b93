/**
 * The backup that a restore takes: found to be a whole store before anything is touched.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentFileName } from '../../../segments/format.ts';
import { sizeIfThere } from '../../directory/absent.ts';
import { type Identity, readIdentityFile } from '../../directory/directory.ts';
import { surveyDirectory } from '../../directory/directory-survey.ts';
import { claimDirectory, type Release } from '../../directory/owner.ts';
import { CannotRunError } from '../../exit.ts';
import { SegmentState } from '../segment-stats.ts';
import { contains } from './backup-target.ts';
import type { RestoredIndex } from './restored-index.ts';

export class RestoreSource {
  readonly path: string;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly #identity: Identity;
  readonly release: Release;

  private constructor(path: string, identity: Identity, release: Release) {
    this.path = path;
    this.indexPath = join(path, 'index');
    this.segmentsPath = join(path, 'segments');
    this.#identity = identity;
    this.release = release;
  }

  /** Claims the backup. Throws a CannotRunError when it is none, or is in use. */
  static async open(from: string, storePath: string): Promise<RestoreSource> {
    const path = await realpath(from).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
      throw new CannotRunError(`there is no directory ${from}`);
    });
    if (!(await stat(path)).isDirectory()) throw new CannotRunError(`${path} is not a directory`);
    // What an earlier restore moved aside may be brought back.
    const isAside = contains(join(storePath, 'quarantine'), path);
    if (!isAside && (contains(storePath, path) || contains(path, storePath))) {
      throw new CannotRunError(`${path} is the store itself, or one of the two holds the other`);
    }
    const release = await claimDirectory(path);
    try {
      return new RestoreSource(path, await identityOf(path), release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** What the backup wrote of itself; nothing where a stopped store is restored. */
  get #about(): Readonly<Record<string, unknown>> {
    const { backup } = this.#identity;
    return typeof backup === 'object' && backup !== null ? { ...backup } : {};
  }

  /** Segments that the backup knew to have no file. */
  get #missing(): ReadonlySet<unknown> {
    const { missing } = this.#about;
    return new Set(Array.isArray(missing) ? missing : []);
  }

  /**
   * Throws a CannotRunError when the index is not what was backed up: LevelDB opens one whose log is
   * lost as if what was in it had never been written. Each start of a server on the backup takes
   * versions, and changes entries; then nothing is compared.
   */
  requireWhole({ entries, versions }: RestoredIndex): void {
    const about = this.#about;
    if (typeof about['versions'] !== 'number' || versions > about['versions']) return;
    if (versions === about['versions'] && entries === about['entries']) return;
    throw new CannotRunError(
      `the backup ${this.path} is not whole: files of its index are missing; nothing was changed`,
    );
  }

  /** The index's files; LOCK says who is there now, and must never be opened or linked. */
  async indexFiles(): Promise<string[]> {
    return (await readdir(this.indexPath)).filter((name) => name !== 'LOCK');
  }

  /**
   * The segments that have a file and that `index` knows. Throws a CannotRunError when one that is
   * needed is not there or is too short.
   */
  async segmentsFor(index: RestoredIndex): Promise<{ id: number; bytes: number }[]> {
    const found: { id: number; bytes: number }[] = [];
    for (const stats of index.segments) {
      const bytes = await sizeIfThere(join(this.segmentsPath, segmentFileName(stats.id)));
      const isNeeded = stats.records > 0 && stats.state !== SegmentState.dropping;
      if (isNeeded && (bytes ?? 0) < stats.bytesWritten && !this.#missing.has(stats.id)) {
        const what = bytes === undefined ? 'is missing' : 'is cut';
        throw new CannotRunError(
          `the backup ${this.path} is not whole: segments/${segmentFileName(stats.id)} ${what}; ` +
            'nothing was changed',
        );
      }
      if (bytes !== undefined) found.push({ id: stats.id, bytes });
    }
    return found;
  }
}

/** What bigcache.json says of a directory that looks like a whole store. */
async function identityOf(path: string): Promise<Identity> {
  const identity = await readIdentityFile(path);
  if (identity === undefined) {
    throw new CannotRunError(
      `${path} is no backup: it has no bigcache.json (one that was not finished has none)`,
    );
  }
  await surveyDirectory(path);
  const names = await readdir(path);
  const isInterrupted = names.some((name) => /^\.(index-aside|(undo-)?restore-\d+)$/.test(name));
  if (isInterrupted) {
    throw new CannotRunError(
      `${path} was left in the middle of a start; start a server on it once`,
    );
  }
  if ((await sizeIfThere(join(path, 'index', 'CURRENT'))) === undefined) {
    throw new CannotRunError(`the backup ${path} is not whole: its index has no file CURRENT`);
  }
  return identity;
}
