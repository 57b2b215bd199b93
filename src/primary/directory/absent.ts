/**
 * Files that need not be there, as whoever looks for them deals with it.
 */
import { stat } from 'node:fs/promises';

/** For `catch`: undefined where there is no such file; every other error goes on. */
export function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** The size of a file; undefined where there is none. */
export async function sizeIfThere(path: string): Promise<number | undefined> {
  return (await stat(path).catch(unlessMissing))?.size;
}
