/**
 * What a directory holds, judged by names alone before the primary touches anything in it: a store,
 * nothing yet, or something that is not ours and must not be touched.
 */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CannotRunError } from '../exit.ts';

const FOLDERS: ReadonlySet<string> = new Set(['index', 'segments', 'quarantine']);
const FILES: ReadonlySet<string> = new Set(['bigcache.json', 'reserve', 'visited']);

/** Names that only LevelDB gives: at the top level they make a database of the Python original. */
const LEVELDB_NAMES = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst))$/;

/**
 * `store` when `bigcache.json` is there, `empty` when nothing is, or only the empty folders of a
 * first start that did not get to its end. Throws a CannotRunError for everything else.
 */
export async function surveyDirectory(path: string): Promise<'store' | 'empty'> {
  const entries = (await readdir(path, { withFileTypes: true })).filter(
    ({ name }) => !name.startsWith('.') && name !== 'lost+found',
  );
  refuseOriginal(path, entries);
  refuseForeign(path, entries);
  const names = new Set(entries.map(({ name }) => name));
  const filled = await filledFolders(path, names);
  if (filled.has('segments') && !filled.has('index')) {
    throw new CannotRunError(
      `${path} holds segments but no index; put index/ back from a backup, nothing was changed`,
    );
  }
  if (names.has('bigcache.json')) return 'store';
  if (filled.size > 0 || names.has('reserve')) {
    const held = [...filled, ...(names.has('reserve') ? ['reserve'] : [])].join(', ');
    throw new CannotRunError(
      `${path} holds ${held} but no bigcache.json; ` +
        'put that file back from a backup, nothing was changed',
    );
  }
  return 'empty';
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
