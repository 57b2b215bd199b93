/**
 * Who holds LevelDB's lock on a database, found out without touching the file LOCK: whoever opens and
 * closes that file takes the lock away from its holder.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The id of the process that has the database in `path` open, as the kernel's list of locks tells.
 * Other systems than Linux have no such list; there the answer is always undefined.
 */
export async function lockHolder(path: string): Promise<string | undefined> {
  const lock = await stat(join(path, 'LOCK')).catch(() => undefined);
  if (lock === undefined) return undefined;
  const locks = await readFile('/proc/locks', 'utf8').catch(() => '');
  for (const line of locks.split('\n')) {
    const [, pid, inode] = /\s(\d+)\s[0-9a-f]+:[0-9a-f]+:(\d+)\s/.exec(line) ?? [];
    if (inode === String(lock.ino)) return pid;
  }
  return undefined;
}
