/** Which segment files go, which stay, and in what order it happens. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import findPointing from '../../../../src/primary/jobs/find-pointing.ts';
import walkSegment, { type WalkResult } from '../../../../src/primary/jobs/walk-segment.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { SegmentState } from '../../../../src/primary/store/segment-stats.ts';
import { DeadSegments } from '../../../../src/primary/store/space/dead-segments.ts';
import { Pins } from '../../../../src/primary/store/space/pins.ts';
import { segmentFileName } from '../../../../src/segments/format.ts';
import { createSegmentFile, logTo, openedIndex, recordOf } from '../store-setup.ts';

/** A store, and a sweeper that tells which segments the workers were to drop, file gone or not. */
async function sweeping(
  test: Parameters<typeof openedIndex>[0],
  walk: (request: Parameters<typeof walkSegment>[0]) => Promise<WalkResult> = walkSegment,
) {
  const { directory, index } = await openedIndex(test);
  const store = await EntryStore.load(index);
  const { indexPath, segmentsPath } = directory;
  const pathOf = (segment: number): string => join(segmentsPath, segmentFileName(segment));
  const dropped: string[] = [];
  const pins = new Pins();
  const time = { nowMs: 0 };
  const messages: string[] = [];
  const newSweeper = (over: EntryStore): DeadSegments =>
    new DeadSegments({
      store: over,
      jobs: { walkSegment: walk, findPointing },
      indexPath,
      segmentsPath,
      log: logTo(messages),
      pins,
      clock: { elapsedMs: () => time.nowMs },
      onDrop: (segment) => {
        dropped.push(`${segment} ${existsSync(pathOf(segment)) ? 'early' : 'gone'}`);
      },
    });
  /** A segment with its file; sealed unless `isOpen`. */
  const granted = async (isOpen = false): Promise<number> => {
    const segment = await store.grantSegment(1);
    await createSegmentFile(directory, segment);
    if (!isOpen) await store.sealSegment(1, segment);
    return segment;
  };
  return {
    store,
    index,
    directory,
    sweeper: newSweeper(store),
    newSweeper,
    granted,
    pathOf,
    dropped,
    pins,
    time,
    messages,
  };
}

describe('a sweep for dead segments', () => {
  it('keeps the file of what is pinned, and drops it once it is released', async (t) => {
    const { store, sweeper, granted, pathOf, pins } = await sweeping(t);
    const [pinned, other] = [await granted(), await granted()];
    const pin = pins.pin([pinned]);
    await sweeper.sweep();
    assert.ok(existsSync(pathOf(pinned)));
    assert.ok(!existsSync(pathOf(other)));
    assert.equal(store.segments.get(pinned)?.state, SegmentState.dropping);
    pin.release(pinned);
    await sweeper.sweep();
    assert.ok(!existsSync(pathOf(pinned)));
    assert.equal(store.segments.size, 0);
  });

  it('drops what is sealed and holds nothing, and tells it once the file is gone', async (t) => {
    const { store, sweeper, granted, pathOf, dropped } = await sweeping(t);
    const [dead, open] = [await granted(), await granted(true)];
    await sweeper.sweep();
    assert.deepEqual(dropped, [`${dead} gone`]);
    assert.deepEqual([...store.segments.keys()], [open]);
    assert.ok(existsSync(pathOf(open)));
  });

  it('keeps a segment as long as a record points to it', async (t) => {
    const { store, sweeper, granted, pathOf, dropped } = await sweeping(t);
    const segment = await granted(true);
    await store.commit(1, 'key', recordOf('key', { segment }));
    await store.sealSegment(1, segment);
    await sweeper.sweep();
    assert.ok(existsSync(pathOf(segment)));
    await store.delete('key');
    await sweeper.sweep();
    assert.deepEqual(dropped, [`${segment} gone`]);
  });

  it('drops what is older than the last clear without walking it', async (t) => {
    const { store, sweeper, granted, dropped } = await sweeping(t, () =>
      Promise.reject(new Error('a walk')),
    );
    const segment = await granted(true);
    await store.commit(1, 'key', recordOf('key', { segment }));
    await store.purge('');
    await sweeper.sweep();
    assert.deepEqual(dropped, [], 'it is still being written');
    await store.sealSegment(1, segment);
    await sweeper.sweep();
    assert.deepEqual(dropped, [`${segment} gone`]);
  });

  it('keeps what its walk finds records in, and does not walk it again', async (t) => {
    let walks = 0;
    const { store, sweeper, granted, pathOf } = await sweeping(t, async () => {
      walks += 1;
      return {
        end: 2 ** 30,
        isMissing: false,
        pointing: [{ key: 'key', version: Number.MAX_SAFE_INTEGER }],
      };
    });
    const segment = await granted(true);
    await store.commit(1, 'key', recordOf('key', { segment }));
    await store.delete('key');
    await store.sealSegment(1, segment);
    await sweeper.sweep();
    await sweeper.sweep();
    assert.equal(walks, 1);
    assert.ok(existsSync(pathOf(segment)));
  });

  it('forgets a segment whose file was never made, or went just before a crash', async (t) => {
    const { store, sweeper, granted, pathOf } = await sweeping(t);
    const segment = await granted();
    await unlink(pathOf(segment));
    await sweeper.sweep();
    assert.equal(store.segments.size, 0);
  });

  it('finishes after a restart what was marked before it', async (t) => {
    const { store, index, newSweeper, granted, pathOf } = await sweeping(t);
    const segment = await granted();
    assert.equal(await store.markDropping(segment), true);
    const restarted = await EntryStore.load(index);
    assert.equal(restarted.segments.get(segment)?.state, SegmentState.dropping);
    await newSweeper(restarted).sweep();
    assert.ok(!existsSync(pathOf(segment)));
    assert.equal(restarted.segments.size, 0);
  });

  it('tries again after a minute when a file cannot be removed', async (t) => {
    const { store, sweeper, granted, pathOf, dropped, time, messages } = await sweeping(t);
    const segment = await granted();
    await unlink(pathOf(segment));
    await mkdir(pathOf(segment));
    await sweeper.sweep();
    assert.equal(store.segments.get(segment)?.state, SegmentState.dropping);
    assert.deepEqual(dropped, []);
    await rmdir(pathOf(segment));
    time.nowMs += 59_000;
    await sweeper.sweep();
    assert.equal(store.segments.size, 1);
    assert.equal(sweeper.awaitedBytes, store.segmentBytes);
    assert.deepEqual(messages, ['a dead segment stays for now'], 'it is told once for each try');
    time.nowMs += 1000;
    await sweeper.sweep();
    assert.equal(store.segments.size, 0);
  });

  it('drops the others when something fails with one', async (t) => {
    const failing = new Set<number>();
    const { store, sweeper, granted, pathOf, dropped, messages } = await sweeping(t, (request) => {
      if (failing.has(request.segment)) return Promise.reject(new Error('no thread'));
      return walkSegment(request);
    });
    const used = async (): Promise<number> => {
      const segment = await granted(true);
      await store.commit(1, 'key', recordOf('key', { segment }));
      await store.delete('key');
      await store.sealSegment(1, segment);
      return segment;
    };
    const [bad, good] = [await used(), await used()];
    failing.add(bad);
    assert.equal(await sweeper.sweep(), true);
    assert.ok(existsSync(pathOf(bad)));
    assert.deepEqual(dropped, [`${good} gone`]);
    assert.equal(messages.length, 1);
    const later = await used();
    await sweeper.unlinkUnmarked();
    assert.ok(!existsSync(pathOf(later)), 'nor does it stop what makes room for the index');
  });

  it('marks no segment that is open, or that a record points to', async (t) => {
    const { store, granted } = await sweeping(t);
    const segment = await granted(true);
    assert.equal(await store.markDropping(segment), false);
    await store.commit(1, 'key', recordOf('key', { segment }));
    await store.sealSegment(1, segment);
    assert.equal(await store.markDropping(segment), false);
    assert.equal(await store.markDropping(segment + 1), false);
  });

  it('does nothing any more once it is stopped', async (t) => {
    const { sweeper, granted, pathOf } = await sweeping(t);
    const segment = await granted();
    sweeper.start();
    await sweeper.stop();
    await sweeper.sweep();
    assert.ok(existsSync(pathOf(segment)));
  });
});
