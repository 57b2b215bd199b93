/** What memory this process takes: measured by each process for itself. */
import { readFileSync } from 'node:fs';

export interface MemoryFigures {
  readonly rssBytes: number;
  readonly rssAnonBytes: number;
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
}

const RSS_ANON = /^RssAnon:\s*(\d+) kB$/m;

export function memoryFigures(statusPath = '/proc/self/status'): MemoryFigures {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    rssBytes: rss,
    rssAnonBytes: rssAnonBytes(statusPath),
    heapUsedBytes: heapUsed,
    externalBytes: external,
  };
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
