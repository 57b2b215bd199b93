/**
 * Changes to files and directories that outlast a power failure. Used where the primary changes the
 * layout of the store's directory.
 */
import { open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Flushes a directory, so that names made, moved or removed in it are on disk. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Brings a file onto the disk; answers its size. */
export async function syncFile(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** Brings every file of a directory onto the disk, and their names; answers the sum of their sizes. */
export async function syncFiles(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += await syncFile(join(path, name));
  await syncDirectory(path);
  return bytes;
}

/** Writes a whole file under `temporaryPath`, then gives it its name: readers see all or nothing. */
export async function writeFileAtomically(
  path: string,
  temporaryPath: string,
  content: string,
): Promise<void> {
  const handle = await open(temporaryPath, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporaryPath, path);
  await syncDirectory(dirname(path));
}
