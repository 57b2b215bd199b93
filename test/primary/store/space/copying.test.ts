/** The copying out of one segment: where it goes, how fast, and what happens when it cannot be read. */
import assert from 'node:assert/strict';
import { mkdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CopyRequest, CopyResult } from '../../../../src/primary/jobs/copy-messages.ts';
import copySegment from '../../../../src/primary/jobs/copy-segment.ts';
import findPointing from '../../../../src/primary/jobs/find-pointing.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { SegmentReclaim } from '../../../../src/primary/store/space/segment-reclaim.ts';
import { Visited } from '../../../../src/primary/store/space/visited.ts';
import { createSegmentFile, openedIndex, recordOf, SILENT } from '../store-setup.ts';

const WRITER = 1;
const SEGMENT_BYTES = 4096;
const DONE: CopyResult = { isComplete: true, renew: undefined, fault: undefined };

/** A sealed segment of one entry, and what reclaims it with this job. */
async function reclaimOf(
  test: Parameters<typeof openedIndex>[0],
  copy: (request: CopyRequest) => Promise<CopyResult> = copySegment,
) {
  const { directory, index } = await openedIndex(test);
  const store = await EntryStore.load(index);
  const segment = await store.grantSegment(WRITER, SEGMENT_BYTES);
  const path = await createSegmentFile(directory, segment);
  await store.commit(WRITER, 'key', recordOf('key', { segment }));
  await store.sealSegment(WRITER, segment, SEGMENT_BYTES);
  const room = { bytes: Number.MAX_SAFE_INTEGER };
  const reclaim = new SegmentReclaim({
    store,
    jobs: { copySegment: copy, findPointing },
    indexPath: directory.indexPath,
    segmentsPath: directory.segmentsPath,
    segmentBytes: SEGMENT_BYTES,
    roomBytes: () => room.bytes,
    visited: await Visited.load(join(directory.path, 'visited'), SILENT),
    bytesPerSecondMax: 1,
    log: SILENT,
    now: () => 1,
  });
  const stats = store.segments.get(segment);
  assert.ok(stats !== undefined);
  return { store, reclaim, stats, room, path, index };
}

/** A job that asks one thing of the primary, and what it was answered. */
function asking(news: object, answers: unknown[]): (request: CopyRequest) => Promise<CopyResult> {
  return async ({ port }) => {
    const answer = new Promise((resolve) => port.once('message', resolve));
    port.postMessage(news);
    answers.push(await answer);
    port.close();
    return { ...DONE, isComplete: false };
  };
}

describe('a segment that is to be copied from', () => {
  it('is told to be missing when its file is gone', async (t) => {
    const { reclaim, stats, path } = await reclaimOf(t);
    await unlink(path);
    assert.equal((await reclaim.run(stats, 'all', () => true)).outcome, 'missing');
  });

  it('is told to be unreadable when the system does not give its bytes', async (t) => {
    const { reclaim, stats, path, store } = await reclaimOf(t);
    await unlink(path);
    await mkdir(path);
    assert.equal((await reclaim.run(stats, 'chance', () => true)).outcome, 'unreadable');
    assert.equal(store.count, 1, 'and nothing is decided');
  });

  it('loses the entry whose body is not there, and is empty then', async (t) => {
    const { reclaim, stats, store } = await reclaimOf(t);
    assert.equal((await reclaim.run(stats, 'all', () => true)).outcome, 'done');
    assert.equal(store.count, 0);
    assert.equal(store.segments.get(stats.id)?.records, 0);
  });

  it('is empty when no record points into it, whatever was counted', async (t) => {
    const { reclaim, stats, store, index } = await reclaimOf(t);
    const record = Buffer.from((await index.get(entryKey('key'))) ?? []);
    record[record.length - 1] = (record.at(-1) ?? 0) ^ 1;
    await index.put(entryKey('key'), record);
    await store.delete('key');
    assert.equal(store.segments.get(stats.id)?.records, 1, 'the damaged record told no segment');
    await reclaim.run(stats, 'all', () => true);
    assert.equal(store.segments.get(stats.id)?.records, 0);
  });
});

describe('a target of copies', () => {
  const needed = { kind: 'target-needed' };

  it('takes no more than the room that is left', async (t) => {
    const answers: { target?: { id: number; bytesMax: number } }[] = [];
    const { reclaim, stats, room, store } = await reclaimOf(t, asking(needed, answers));
    room.bytes = 3000;
    await reclaim.run(stats, 'all', () => true);
    assert.equal(answers[0]?.target?.bytesMax, 3000);
    assert.equal(store.segments.get(answers[0]?.target?.id ?? 0)?.fileBytes, 3000);
  });

  it('is refused where that is less than half a segment', async (t) => {
    const answers: unknown[] = [];
    const { reclaim, stats, room, store } = await reclaimOf(t, asking(needed, answers));
    room.bytes = 2000;
    assert.equal((await reclaim.run(stats, 'all', () => true)).outcome, 'no-room');
    assert.deepEqual(answers, [{ stop: true }]);
    assert.equal(store.segments.size, 1);
  });
});

describe('the wait that holds copying to its rate', () => {
  const none = { moves: [], evicted: [], dead: [], damaged: [] };
  const batch = { kind: 'batch', ...none, copiedBytes: 1_000_000, targetEnd: 0 };

  for (const end of ['hurry', 'stop'] as const) {
    it(`ends at once with ${end}()`, async (t) => {
      const answers: unknown[] = [];
      const { reclaim, stats } = await reclaimOf(t, asking(batch, answers));
      const running = reclaim.run(stats, 'all', () => false);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(answers, []);
      reclaim[end]();
      await running;
      assert.deepEqual(answers, [{ stop: end === 'stop' }]);
    });
  }
});
