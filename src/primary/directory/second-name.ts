/**
 * A second name for a file, which costs no space, where the file system allows it.
 */
import { constants } from 'node:fs';
import { copyFile, link, stat } from 'node:fs/promises';
import { unlessMissing } from './absent.ts';

/** What the system answers where there can be no second name. */
const NO_LINK = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK', 'EACCES']);

/** Whether the error of a link says that the file can be copied instead. */
export function isNoLink(error: unknown): boolean {
  return NO_LINK.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Gives the file a second name; makes a copy where there can be none. */
export async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if (!isNoLink(error)) throw error;
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}

/** Whether the file has another name, by which its bytes stay on the disk when this one goes. */
export async function hasSecondName(path: string): Promise<boolean> {
  const found = await stat(path).catch(unlessMissing);
  return found !== undefined && found.nlink > 1;
}
