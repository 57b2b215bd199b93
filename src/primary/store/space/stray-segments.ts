/**
 * Compares the segment files with the index at the start. A file that the index does not know is
 * moved to quarantine, never deleted; a file that is missing is reported.
 */
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { segmentFileName, segmentIdOf } from '../../../segments/format.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import type { SegmentStats } from '../segment-stats.ts';

export async function quarantineStrays(
  directory: StoreDirectory,
  segments: ReadonlyMap<number, Readonly<SegmentStats>>,
  log: Logger,
): Promise<void> {
  const files = new Set(await readdir(directory.segmentsPath));
  for (const stats of segments.values()) {
    if (files.delete(segmentFileName(stats.id)) || stats.records === 0) continue;
    log.error(
      { segment: stats.id, entries: stats.records },
      'a segment file is missing; its entries will be misses',
    );
  }
  for (const name of files) {
    const id = segmentIdOf(name);
    if (id !== undefined && segments.has(id)) continue;
    await rename(
      join(directory.segmentsPath, name),
      join(directory.quarantinePath, `${Date.now()}-${name}`),
    );
    log.warn({ file: name }, 'a file among the segments is not known; moved to quarantine');
  }
}
