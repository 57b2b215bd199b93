/**
 * Compares the segment files with the index when the store is opened. A file that the index does not
 * know is moved to quarantine, never deleted; a file that is missing is reported.
 */
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { segmentFileName, segmentIdOf } from '../../../segments/format.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { type LossCause, SegmentState, type SegmentStats } from '../segment-stats.ts';

export interface SegmentFiles {
  /** Sizes of the files whose size the index does not know: without a writer now, but not sealed. */
  readonly sizes: ReadonlyMap<number, number>;
  /** Segments with records whose files are missing, and why. */
  readonly lost: ReadonlyMap<number, LossCause>;
}

/**
 * `hasWriter` tells whether somebody may still write an open segment of this writer; `known`, why files
 * were gone before this opening.
 */
export async function surveySegmentFiles(
  directory: StoreDirectory,
  segments: ReadonlyMap<number, Readonly<SegmentStats>>,
  hasWriter: (writer: number) => boolean,
  log: Logger,
  known: ReadonlyMap<number, LossCause> = new Map(),
): Promise<SegmentFiles> {
  const files = new Set(await readdir(directory.segmentsPath));
  const sizes = new Map<number, number>();
  const lost = new Map<number, LossCause>();
  for (const stats of segments.values()) {
    const name = segmentFileName(stats.id);
    const isThere = files.delete(name);
    const isWritten = stats.state === SegmentState.open && hasWriter(stats.writer);
    if (!isWritten && (stats.state === SegmentState.open || stats.fileBytes === 0)) {
      sizes.set(stats.id, isThere ? (await stat(join(directory.segmentsPath, name))).size : 0);
    }
    if (isThere || stats.records === 0) continue;
    const cause = known.get(stats.id) ?? 'missing';
    lost.set(stats.id, cause);
    if (cause === 'evicted') continue;
    log.error(
      { segment: stats.id, entries: stats.records },
      'a segment file is missing; its entries will be misses',
    );
  }
  await quarantineStrays(directory, segments, files, log);
  return { sizes, lost };
}

async function quarantineStrays(
  directory: StoreDirectory,
  segments: ReadonlyMap<number, unknown>,
  files: ReadonlySet<string>,
  log: Logger,
): Promise<void> {
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
