/**
 * The note of how far an import has come, as those know it who change what is in the store: it is good
 * for the content that it was made of, so it goes with that.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './durable-files.ts';

export const IMPORT_CHECKPOINT = '.import.json';

/** Has the next import begin anew. On the disk when it resolves. */
export async function forgetImport(path: string): Promise<void> {
  await rm(join(path, IMPORT_CHECKPOINT), { force: true });
  await syncDirectory(path);
}
