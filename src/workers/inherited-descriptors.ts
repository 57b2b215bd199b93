/**
 * LevelDB opens its files without O_CLOEXEC, so a worker that is forked later inherits writable
 * descriptors of the index. It closes them before it does anything else.
 */
import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { sep } from 'node:path';

/** Where a Linux process sees its own descriptors; other systems have no such place. */
const OWN_DESCRIPTORS = '/proc/self/fd';

/** Closes every descriptor that points into `directory`; answers how many there were. */
export function closeInherited(directory: string, descriptors: string = OWN_DESCRIPTORS): number {
  let closed = 0;
  for (const name of listDescriptors(descriptors)) {
    if (!targetOf(`${descriptors}/${name}`).startsWith(directory + sep)) continue;
    closeSync(Number(name));
    closed += 1;
  }
  return closed;
}

function listDescriptors(descriptors: string): string[] {
  try {
    return readdirSync(descriptors);
  } catch {
    return [];
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // The descriptor that listed the directory is gone by now.
    return '';
  }
}
