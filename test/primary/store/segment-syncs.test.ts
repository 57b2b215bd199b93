/** Segments and their names on the way to the disk, and segments that cannot get there. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SegmentSyncs } from '../../../src/primary/store/segment-syncs.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { openDescriptorsIn, SyncWatch } from './sync-watch.ts';

interface Setup {
  readonly path: string;
  readonly syncs: SegmentSyncs;
  readonly watch: SyncWatch;
  readonly failed: number[];
}

async function setUp(
  test: Parameters<typeof temporaryDirectory>[0],
  ...segments: number[]
): Promise<Setup> {
  const path = await temporaryDirectory(test);
  for (const segment of segments) await writeFile(join(path, segmentFileName(segment)), 'bodies');
  const failed: number[] = [];
  const syncs = new SegmentSyncs({
    segmentsPath: path,
    onFailure: (segment) => failed.push(segment),
  });
  test.after(() => syncs.close());
  return { path, syncs, watch: await SyncWatch.begin(test), failed };
}

describe('segments', () => {
  it('are synced as often as asked, their names once', async (t) => {
    const { path, syncs, watch } = await setUp(t, 1, 2);
    assert.equal((await syncs.sync([1])).size, 0);
    assert.deepEqual(watch.take(path), ['', '00000001.seg']);
    await syncs.sync([1, 2]);
    assert.deepEqual(watch.take(path), ['', '00000001.seg', '00000002.seg']);
    await syncs.sync([1, 2]);
    assert.deepEqual(watch.take(path), ['00000001.seg', '00000002.seg']);
  });

  it('are held open until they are not needed, so that no error is forgotten', async (t) => {
    const { path, syncs } = await setUp(t, 1, 2);
    await syncs.sync([1, 2]);
    assert.equal(openDescriptorsIn(path).length, 2);
    await syncs.release((segment) => segment === 2);
    assert.deepEqual(openDescriptorsIn(path), [join(path, '00000002.seg')]);
    await syncs.close();
    assert.deepEqual(openDescriptorsIn(path), []);
  });

  it('fail alone, and are never synced again', async (t) => {
    const { path, syncs, watch, failed } = await setUp(t, 1, 2);
    watch.failOn('00000001.seg', 'EIO');
    const failures = await syncs.sync([1, 2]);
    assert.deepEqual([...failures.keys()], [1]);
    const error = failures.get(1);
    assert.ok(error instanceof BigCacheError && error.code === 'STORE_FAILED');
    assert.deepEqual(failed, [1]);
    assert.ok(syncs.hasFailed(1) && !syncs.hasFailed(2));
    watch.failOn(undefined, '');
    watch.take(path);
    assert.equal((await syncs.sync([1, 2])).get(1), error);
    assert.deepEqual(watch.take(path), ['00000002.seg']);
    assert.deepEqual(failed, [1]);
  });

  it('fail when their names cannot be synced', async (t) => {
    const { path, syncs, watch, failed } = await setUp(t, 1);
    watch.failOn(path, 'EIO');
    assert.deepEqual([...(await syncs.sync([1])).keys()], [1]);
    assert.deepEqual(failed, [1]);
  });

  it('are tried again when they could not be opened', async (t) => {
    const { path, syncs, failed } = await setUp(t);
    assert.deepEqual([...(await syncs.sync([3])).keys()], [3]);
    assert.deepEqual(failed, []);
    await writeFile(join(path, segmentFileName(3)), 'bodies');
    assert.equal((await syncs.sync([3])).size, 0);
  });
});
