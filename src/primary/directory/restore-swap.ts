/**
 * Puts a restored store in the place of the present one, by renames alone, so that a crash at any
 * moment leaves one of the two. Run by the primary and by `bigcache restore`; every start first brings
 * to its end what it finds.
 *
 *     .restore-<ms>.partial/   the restored store while it is made; worth nothing
 *     .restore-<ms>/           decided: what is still in it takes the place of what is present, which
 *                              goes to quarantine/before-restore-<ms>/
 *     .undo-restore-<ms>/      decided: what is in that quarantine comes back
 *
 * INVARIANT: a part (`index`, `segments`, `bigcache.json`) that is still in `.restore-<ms>/` has not
 * taken its place, so what has its name in the directory is of the old store; one that is no longer
 * there has. A part that is in quarantine/before-restore-<ms>/ is of the old store. Each decision is
 * one rename that is on disk before the next; each further rename may be repeated after a crash.
 */
import { mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './durable-files.ts';
import { forgetImport } from './import-checkpoint.ts';

const PARTS = ['index', 'segments', 'bigcache.json'] as const;
/** The safety copy of the old index would be put back over the restored one. */
const ASIDE = '.index-aside';

const PARTIAL = /^\.restore-\d+\.partial$/;
const DECIDED = /^\.(undo-)?restore-(\d+)$/;

/** How files change their names; a test may have it fail at any step. */
export type Rename = (from: string, to: string) => Promise<void>;

export class RestoreSwap {
  readonly #path: string;
  readonly #rename: Rename;
  /** Where the restored store is made. */
  readonly partialPath: string;
  /** Where the present store goes. */
  readonly shelterPath: string;
  readonly #decidedPath: string;
  readonly #undoPath: string;

  constructor(path: string, ms: number, renameFile: Rename = rename) {
    this.#path = path;
    this.#rename = renameFile;
    this.#decidedPath = join(path, `.restore-${ms}`);
    this.partialPath = `${this.#decidedPath}.partial`;
    this.#undoPath = join(path, `.undo-restore-${ms}`);
    this.shelterPath = join(path, 'quarantine', `before-restore-${ms}`);
  }

  /** From here on the restored store is the one. REQUIRES: all of it is in `partialPath`, on disk. */
  async decide(): Promise<void> {
    await this.#move(this.partialPath, this.#decidedPath);
  }

  /** REQUIRES: decided, and the present store is closed. May be repeated. */
  async apply(): Promise<void> {
    await forgetImport(this.#path);
    await this.#makeShelter();
    for (const part of PARTS) {
      const restored = join(this.#decidedPath, part);
      if (!(await exists(restored))) continue;
      if (part === 'index') await this.#moveIfThere(ASIDE, this.#path, this.shelterPath);
      await this.#moveIfThere(part, this.#path, this.shelterPath);
      await this.#move(restored, join(this.#path, part));
    }
  }

  /** Forgets the restore once it is applied: it cannot be undone any more. */
  async finish(): Promise<void> {
    await rmdir(this.#decidedPath);
    // Where nothing was before, nothing is sheltered.
    await rmdir(this.shelterPath).catch(() => undefined);
    await syncDirectory(this.#path);
  }

  /** Brings the store of before back, also from the middle of `apply`. */
  async undo(): Promise<void> {
    if (await exists(this.#decidedPath)) await this.#move(this.#decidedPath, this.#undoPath);
    if (await exists(this.#undoPath)) await this.finishUndo();
    else await this.discard();
  }

  /** REQUIRES: the undoing is decided. May be repeated. */
  async finishUndo(): Promise<void> {
    for (const part of PARTS) {
      const old = join(this.shelterPath, part);
      if (!(await exists(old))) continue;
      if (part === 'index') await this.#moveIfThere(ASIDE, this.#path, this.#undoPath);
      await this.#moveIfThere(part, this.#path, this.#undoPath);
      await this.#move(old, join(this.#path, part));
    }
    await this.#moveIfThere(ASIDE, this.shelterPath, this.#path);
    await rmdir(this.shelterPath).catch(() => undefined);
    await this.#move(this.#undoPath, this.partialPath);
    await this.discard();
  }

  /** Gives up what is not decided. */
  async discard(): Promise<void> {
    await rm(this.partialPath, { recursive: true, force: true });
  }

  async #makeShelter(): Promise<void> {
    await mkdir(this.shelterPath, { recursive: true });
    await syncDirectory(join(this.#path, 'quarantine'));
    await syncDirectory(this.#path);
  }

  async #moveIfThere(name: string, from: string, to: string): Promise<void> {
    if (await exists(join(from, name))) await this.#move(join(from, name), join(to, name));
  }

  /** The rename is on disk before the next one. */
  async #move(from: string, to: string): Promise<void> {
    await this.#rename(from, to);
    await syncDirectory(join(to, '..'));
    await syncDirectory(join(from, '..'));
  }
}

/**
 * Brings a restore that a crash interrupted to its end: one that was decided is completed, one that was
 * being undone is undone, what was not decided is removed. REQUIRES: the claim on `path`.
 */
export async function settleRestore(path: string, renameFile?: Rename): Promise<void> {
  const names = await readdir(path);
  for (const name of names) {
    if (PARTIAL.test(name)) await rm(join(path, name), { recursive: true, force: true });
    const [, undo, ms] = DECIDED.exec(name) ?? [];
    if (ms === undefined) continue;
    const swap = new RestoreSwap(path, Number(ms), renameFile);
    if (undo !== undefined) {
      await swap.finishUndo();
    } else {
      await swap.apply();
      await swap.finish();
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}
