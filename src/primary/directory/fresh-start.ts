/**
 * `--on-corruption fresh`, in the primary: moves a damaged store into its quarantine, whole and by
 * renames alone, so that an empty one can begin in its place. Nothing is deleted.
 *
 * INVARIANT: while a directory `.damaged-<ms>` exists, whatever of a store lies beside it belongs into
 * it. It gets its name in quarantine when all is moved, so a start that died in between is finished by
 * the next one, before that looks at anything.
 */
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { CannotRunError } from '../exit.ts';
import { unlessMissing } from './absent.ts';
import type { DamagedStoreError } from './damaged-store.ts';
import { syncDirectory } from './durable-files.ts';
import { IMPORT_CHECKPOINT } from './import-checkpoint.ts';

/** What makes a store, its identity last; `.index-aside` is the index of a start that died. */
const PARTS = [
  'index',
  '.index-aside',
  '.index-new',
  'segments',
  'reserve',
  'visited',
  IMPORT_CHECKPOINT,
  'bigcache.json',
] as const;

/** A store that is damaged again within this time is not begun anew: the disk or the machine is bad. */
const YOUNG_MS = 60_000;
/** More damaged stores than this are not piled up. */
const DAMAGED_STORES_MAX = 8;

const PENDING = /^\.damaged-\d+$/;
const KEPT = /^damaged-\d+$/;

/** Finishes what an earlier start began. REQUIRES: the claim on the directory. */
export async function finishFreshStart(path: string): Promise<void> {
  const pending = (await readdir(path)).filter((name) => PENDING.test(name));
  for (const name of pending) await moveInto(path, name);
}

/**
 * Moves the damaged store at `path` into `quarantine/damaged-<ms>/`. Throws a CannotRunError when that
 * would go on for ever. REQUIRES: the claim on the directory, and no file of the store is open.
 */
export async function quarantineStore(
  path: string,
  error: DamagedStoreError,
  log: Logger,
  now: () => number = Date.now,
): Promise<void> {
  const nowMs = now();
  await refuseEndlessly(path, error, nowMs);
  const name = `.damaged-${nowMs}`;
  await mkdir(join(path, name));
  await syncDirectory(path);
  const target = await moveInto(path, name);
  log.error(
    { damage: error.what, movedTo: target },
    `the store is damaged; all of it was moved to ${target}, and an empty store begins in its place`,
  );
}

async function moveInto(path: string, name: string): Promise<string> {
  const present = new Set(await readdir(path));
  for (const part of PARTS.filter((one) => present.has(one))) {
    await rename(join(path, part), join(path, name, part));
  }
  const quarantine = join(path, 'quarantine');
  await mkdir(quarantine).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await syncDirectory(join(path, name));
  const target = join(quarantine, name.slice(1));
  await rename(join(path, name), target);
  await syncDirectory(quarantine);
  await syncDirectory(path);
  return target;
}

/** A server that its supervisor starts again and again must not fill the disk with damaged stores. */
async function refuseEndlessly(
  path: string,
  error: DamagedStoreError,
  nowMs: number,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new CannotRunError(`${error.what}; --on-corruption fresh is not followed: ${why}`, {
      cause: error,
    });
  };
  const quarantine = join(path, 'quarantine');
  const moved = (await readdir(quarantine).catch(unlessMissing)) ?? [];
  const kept = moved.filter((name) => KEPT.test(name));
  if (kept.length >= DAMAGED_STORES_MAX) {
    refuse(
      `${quarantine} holds ${kept.length} damaged stores already; look into them, remove them`,
    );
  }
  const createdAtMs = await creationOf(path);
  if (kept.length > 0 && createdAtMs !== undefined && Math.abs(nowMs - createdAtMs) < YOUNG_MS) {
    refuse('the store was begun less than a minute ago; look at the disk and the log first');
  }
}

/** When the store was made, if its identity can still be read. */
async function creationOf(path: string): Promise<number | undefined> {
  try {
    const identity: unknown = JSON.parse(await readFile(join(path, 'bigcache.json'), 'utf8'));
    const { createdAt } = identity as { createdAt?: unknown };
    const createdAtMs = Date.parse(String(createdAt));
    return Number.isNaN(createdAtMs) ? undefined : createdAtMs;
  } catch {
    return undefined;
  }
}
