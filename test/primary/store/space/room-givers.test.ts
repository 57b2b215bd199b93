/** What is unlinked whole when the disk is full and the index takes no writes. */
import assert from 'node:assert/strict';
import { link, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  newSegmentStats,
  SegmentState,
  type SegmentStats,
} from '../../../../src/primary/store/segment-stats.ts';
import { roomGivers } from '../../../../src/primary/store/space/room-givers.ts';
import { segmentFileName } from '../../../../src/segments/format.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';

function segment(id: number, more: Partial<SegmentStats> = {}): SegmentStats {
  return { ...newSegmentStats(id, 0, id, 1000), state: SegmentState.sealed, records: 1, ...more };
}

async function given(path: string, segments: readonly SegmentStats[]): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of roomGivers(path, segments)) ids.push(id);
  return ids;
}

describe('the segments that give room to a full disk', () => {
  it('are sealed and hold entries, the oldest place first', async (t) => {
    const path = await temporaryDirectory(t);
    const segments = [
      segment(7, { agedFromMs: 2 }),
      segment(2, { state: SegmentState.open }),
      segment(3),
      segment(4, { records: 0 }),
      segment(5, { agedFromMs: 3 }),
    ];
    assert.deepEqual(await given(path, segments), [7, 3, 5]);
  });

  it('are none whose bytes stay on the disk under a second name, as long as they do', async (t) => {
    const path = await temporaryDirectory(t);
    const segments = [segment(1), segment(2)];
    for (const { id } of segments) await writeFile(join(path, segmentFileName(id)), 'bytes');
    const second = join(path, 'backup');
    await link(join(path, segmentFileName(1)), second);
    assert.deepEqual(await given(path, segments), [2]);
    await unlink(second);
    assert.deepEqual(await given(path, segments), [1, 2]);
  });
});
