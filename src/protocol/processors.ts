/**
 * How many processors this process may really use: what the scheduler allows, cut down to the
 * cgroup's quota, which Node 20 does not look at (a container with 2 of 64 processors sees 64).
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Processors within the cgroup's quota, at least 1. */
export function processors(read: (path: string) => string = readText): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota(read) ?? Infinity)));
}

/** Processors' worth of time per period; undefined where no quota is set or can be read. */
function quota(read: (path: string) => string): number | undefined {
  try {
    const [max, period] = read('/sys/fs/cgroup/cpu.max').trim().split(' ').map(Number);
    return share(max, period);
  } catch {
    // Version 1 of cgroups, or none.
  }
  try {
    return share(
      Number(read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')),
      Number(read('/sys/fs/cgroup/cpu/cpu.cfs_period_us')),
    );
  } catch {
    return undefined;
  }
}

/** No quota reads `max` in version 2 (which is no number) and -1 in version 1. */
function share(max = Number.NaN, period = Number.NaN): number | undefined {
  return max > 0 && period > 0 ? max / period : undefined;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
