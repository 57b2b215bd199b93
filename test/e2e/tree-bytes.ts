/**
 * What a directory takes on the disk, while others work in it.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes allocated for all files below `path`, each counted once however many names it has. */
export function allocatedBytes(path: string): number {
  const seen = new Set<number>();
  const waiting = [path];
  let bytes = 0;
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of ignoringGone(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
      const child = join(folder, entry.name);
      if (entry.isDirectory()) {
        waiting.push(child);
        continue;
      }
      const found = ignoringGone(() => lstatSync(child));
      if (found === undefined || seen.has(found.ino)) continue;
      seen.add(found.ino);
      bytes += found.blocks * 512;
    }
  }
  return bytes;
}

/** What `look` finds; undefined when the file has gone meanwhile. */
function ignoringGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
