/**
 * Which segments give room to a full disk when they are unlinked whole, and in which order, in the primary.
 */
import { join } from 'node:path';
import { segmentFileName } from '../../../segments/format.ts';
import { hasSecondName } from '../../directory/second-name.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';

/**
 * The sealed segments with entries, the oldest first. What a backup on the same disk has by a second name
 * is left out: its bytes would stay there, and its entries go in vain.
 */
export async function* roomGivers(
  segmentsPath: string,
  segments: Iterable<Readonly<SegmentStats>>,
): AsyncGenerator<Readonly<SegmentStats>> {
  const oldestFirst = [...segments]
    .filter(({ state, records }) => state === SegmentState.sealed && records > 0)
    .sort((one, other) => one.agedFromMs - other.agedFromMs || one.id - other.id);
  for (const stats of oldestFirst) {
    if (!(await hasSecondName(join(segmentsPath, segmentFileName(stats.id))))) yield stats;
  }
}
