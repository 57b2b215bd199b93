/** What memory this process takes: measured by each process for itself. */
import { readFileSync } from 'node:fs';
import { isOutOfDescriptors } from './descriptor-faults.ts';

export interface MemoryFigures {
  readonly rssBytes: number;
  readonly rssAnonBytes: number;
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
}

const RSS_ANON = /^RssAnon:\s*(\d+) kB$/m;

/** Node reads a file for them: where no descriptor is left for that, they are those of the last time. */
let latest: MemoryFigures = { rssBytes: 0, rssAnonBytes: 0, heapUsedBytes: 0, externalBytes: 0 };

export function memoryFigures(
  statusPath = '/proc/self/status',
  memoryUsage: () => NodeJS.MemoryUsage = process.memoryUsage,
): MemoryFigures {
  try {
    const { rss, heapUsed, external } = memoryUsage();
    latest = {
      rssBytes: rss,
      rssAnonBytes: rssAnonBytes(statusPath),
      heapUsedBytes: heapUsed,
      externalBytes: external,
    };
  } catch (error) {
    if (!isOutOfDescriptors(error)) throw error;
  }
  return latest;
}

/** LevelDB maps its tables, so the resident size says little: this leaves out what files stand behind. */
function rssAnonBytes(statusPath: string): number {
  try {
    return 1024 * Number(RSS_ANON.exec(readFileSync(statusPath, 'utf8'))?.[1] ?? 0);
  } catch {
    // Only Linux tells.
    return 0;
  }
}
