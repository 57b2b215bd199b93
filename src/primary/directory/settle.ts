/**
 * What whoever claims a directory does first, be it a server or a command: ends what a crash has
 * interrupted, and removes what killed commands and servers have left behind.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finishFreshStart } from './fresh-start.ts';
import { settleRestore } from './restore-swap.ts';

/** Made by a process that owned the store, for itself alone, and worth nothing after it. */
const LEFTOVERS = ['.index-look', '.import-source', '.import.json.new', '.probe', '.reopening'];

/** Ends a restore or a fresh start that was begun. REQUIRES: the claim on `path`. */
export async function settleDirectory(path: string): Promise<void> {
  await settleRestore(path);
  await finishFreshStart(path);
}

/** REQUIRES: the claim on `path`, which holds a store that nobody has open, and nothing of others. */
export async function removeLeftovers(path: string): Promise<void> {
  for (const name of LEFTOVERS) await rm(join(path, name), { recursive: true, force: true });
}
