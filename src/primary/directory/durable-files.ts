/**
 * Changes to files and directories that outlast a power failure. Used where the primary changes the
 * layout of the store's directory.
 */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Flushes a directory, so that names made, moved or removed in it are on disk. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
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
