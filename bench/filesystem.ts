/** The filesystem under the store, and what of the store lies in the page cache. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
} from 'node:fs';
import { join } from 'node:path';

const IN_MEMORY = new Set(['tmpfs', 'ramfs', 'devtmpfs']);

/** The type of the filesystem that holds `path`: of the longest mount point above it, the last mount. */
export function filesystemType(path: string, mountinfo: string): string {
  let best = { point: '', type: 'unknown' };
  for (const line of mountinfo.split('\n')) {
    // proc_pid_mountinfo(5): ... mount-point options optional... - type source options
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4]?.replaceAll('\\040', ' ');
    const type = after.split(' ')[0];
    if (point === undefined || type === undefined) continue;
    const isAbove = path === point || path.startsWith(point === '/' ? '/' : `${point}/`);
    if (isAbove && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

/** Says which filesystem holds `directory`; throws for one that keeps files in memory only. */
export function diskUnder(directory: string): string {
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
  const type = filesystemType(realpathSync(directory), mountinfo);
  if (!IN_MEMORY.has(type)) return type;
  throw new Error(`${directory} is on ${type}, not on a disk; name another with --directory`);
}

/**
 * Has the kernel drop the bodies of the store at `directory` from the page cache. Node has no
 * posix_fadvise, so dd asks for it; pages not yet on disk would stay, hence the fdatasync.
 */
export function dropBodiesFromPageCache(directory: string): void {
  const segments = join(directory, 'segments');
  for (const name of readdirSync(segments)) {
    const file = join(segments, name);
    const descriptor = openSync(file, 'r+');
    fdatasyncSync(descriptor);
    closeSync(descriptor);
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}
