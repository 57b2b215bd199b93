/**
 * What a directory holds, judged by names alone before the primary touches anything in it: a store,
 * nothing yet, or something that is not ours and must not be touched.
 */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentIdOf } from '../../segments/format.ts';
import { CannotRunError } from '../exit.ts';
import { DamagedStoreError } from './damaged-store.ts';

const FOLDERS: ReadonlySet<string> = new Set(['index', 'segments', 'quarantine']);
const FILES: ReadonlySet<string> = new Set(['bigcache.json', 'reserve', 'visited']);
/** Files that only a store has, and that are not mere hints: a directory that holds one is not empty. */
const STORE_FILES = ['reserve'] as const;

/** Names that only LevelDB gives: at the top level they make a database of the Python original. */
const LEVELDB_NAMES = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst))$/;
const INDEX_NAMES =
  /^(CURRENT|LOCK|LOG|LOG\.old|CLOSED|CLOSED\.partial|CHECKING|MANIFEST-\d+|\d+\.(ldb|sst|log|dbtmp))$/;

/**
 * `store` when `bigcache.json` is there, `empty` when nothing is, or only the empty folders of a
 * first start that did not get to its end, or the quarantine of a fresh start. Throws a
 * CannotRunError for everything else.
 */
export async function surveyDirectory(path: string): Promise<'store' | 'empty'> {
  const { names, filled } = await ownNames(path);
  if (names.has('bigcache.json')) {
    if (filled.has('segments') && !filled.has('index')) {
      throw new DamagedStoreError(`${path} holds segments but no index`);
    }
    return 'store';
  }
  const ownFiles = STORE_FILES.filter((name) => names.has(name));
  if (ownFiles.length === 0 && (await isAfterFreshStart(path, filled))) return 'empty';
  const held = [...filled, ...ownFiles];
  if (held.length > 0) {
    const what = `${path} holds ${held.join(', ')} but no bigcache.json`;
    // Others have folders of these names too, so only what is surely ours is called damaged.
    if (await isSurelyOurs(path, filled)) throw new DamagedStoreError(what);
    throw new CannotRunError(`${what}; put that file back from a backup, nothing was changed`);
  }
  return 'empty';
}

/**
 * Whether anything of a store is there, sound or not. Throws a CannotRunError where anything of others
 * is.
 */
export async function holdsStoreFiles(path: string): Promise<boolean> {
  const { names, filled } = await ownNames(path);
  return names.has('bigcache.json') || filled.has('index') || filled.has('segments');
}

/** Our names at the top level, and our folders that hold anything. */
async function ownNames(path: string): Promise<{ names: Set<string>; filled: Set<string> }> {
  const entries = (await readdir(path, { withFileTypes: true })).filter(
    ({ name }) => !name.startsWith('.') && name !== 'lost+found',
  );
  refuseOriginal(path, entries);
  refuseForeign(path, entries);
  const names = new Set(entries.map(({ name }) => name));
  return { names, filled: await filledFolders(path, names) };
}

/** Whether the folders hold what only BigCache puts there, and nothing else. */
async function isSurelyOurs(path: string, filled: ReadonlySet<string>): Promise<boolean> {
  if (!filled.has('index') && !filled.has('segments')) return false;
  const index = filled.has('index') ? await readdir(join(path, 'index')) : [];
  const segments = filled.has('segments') ? await readdir(join(path, 'segments')) : [];
  return (
    index.every((name) => INDEX_NAMES.test(name)) &&
    segments.every((name) => segmentIdOf(name) !== undefined)
  );
}

/** Whether a fresh start has moved the store away, and a new one has not begun yet. */
async function isAfterFreshStart(path: string, filled: ReadonlySet<string>): Promise<boolean> {
  if (filled.size !== 1 || !filled.has('quarantine')) return false;
  return (await readdir(join(path, 'quarantine'))).some((name) => /^damaged-\d+$/.test(name));
}

/**
 * Throws a CannotRunError unless the directory is one from whose segments an index can be made. What
 * else of a store is there, or is missing, does not matter.
 */
export async function surveyForRebuild(path: string): Promise<void> {
  const { filled } = await ownNames(path);
  const files = filled.has('segments') ? await readdir(join(path, 'segments')) : [];
  if (files.some((name) => segmentIdOf(name) !== undefined)) return;
  throw new CannotRunError(`${path} holds no segments, so there is nothing to make an index from`);
}

function refuseOriginal(path: string, entries: readonly Dirent[]): void {
  if (entries.some(({ name }) => LEVELDB_NAMES.test(name))) {
    throw new CannotRunError(
      `${path} is a database of the Python original; choose a new --db-path and bring the ` +
        `entries over with: bigcache import --from ${path}`,
    );
  }
}

function refuseForeign(path: string, entries: readonly Dirent[]): void {
  const foreign = entries.filter(
    (entry) =>
      !(FOLDERS.has(entry.name) && entry.isDirectory()) &&
      !(FILES.has(entry.name) && entry.isFile()),
  );
  if (foreign.length === 0) return;
  const shown = foreign.slice(0, 3).map(({ name }) => JSON.stringify(name));
  const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : '';
  throw new CannotRunError(
    `${path} holds files that are not BigCache's: ${shown.join(', ')}${more}; ` +
      'choose an empty or new directory',
  );
}

/** The folders of ours that hold anything. */
async function filledFolders(path: string, names: ReadonlySet<string>): Promise<Set<string>> {
  const filled = new Set<string>();
  for (const name of FOLDERS) {
    if (names.has(name) && (await readdir(join(path, name))).length > 0) filled.add(name);
  }
  return filled;
}
