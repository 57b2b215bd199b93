/** Counters that damage made wrong are counted again, exactly, while the store goes on changing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import recount, {
  type RecountRequest,
  type RecountResult,
} from '../../../src/primary/jobs/recount.ts';
import { EntryStore } from '../../../src/primary/store/entry-store.ts';
import type { Index } from '../../../src/primary/store/index/index-files.ts';
import {
  encodeNumber,
  entryRange,
  metaKey,
  segmentKey,
} from '../../../src/primary/store/index/index-keys.ts';
import { Recounting } from '../../../src/primary/store/recounting.ts';
import {
  decodeSegmentStats,
  encodeSegmentStats,
} from '../../../src/primary/store/segment-stats.ts';
import { pointerOf, versionOf } from '../../../src/protocol/record.ts';
import { occupiedBytesOf } from '../../../src/segments/format.ts';
import { eventually } from '../../eventually.ts';
import { openedIndex, recordOf, SILENT } from './store-setup.ts';

const WRITER = 1;
type Test = Parameters<typeof openedIndex>[0];

/** A store of 300 entries in two segments. */
async function filled(index: Index): Promise<void> {
  const store = await EntryStore.load(index);
  const segments = [await store.grantSegment(WRITER), await store.grantSegment(WRITER)];
  await Promise.all(Array.from({ length: 300 }, (_, nth) => put(store, segments[nth % 2], nth)));
}

function put(store: EntryStore, segment: number | undefined, nth: number): Promise<unknown> {
  const key = `key ${nth}`;
  return store.commit(WRITER, key, recordOf(key, { segment: segment ?? 0, storedBytes: 10 + nth }));
}

/** As a log leaves them that lost its middle: too low, too high, and of no use at all. */
async function spoil(index: Index): Promise<void> {
  await index.put(metaKey('count'), encodeNumber('count', 7));
  const stats = decodeSegmentStats(1, (await index.get(segmentKey(1))) ?? Buffer.alloc(0));
  await index.put(segmentKey(1), encodeSegmentStats({ ...stats, records: 3, bytesLive: 1e6 }));
  const damaged = (await index.get(segmentKey(2))) ?? Buffer.alloc(0);
  damaged[32] = (damaged[32] ?? 0) ^ 64;
  await index.put(segmentKey(2), damaged);
}

/** The counters are what a count of the index, made here, says. */
async function assertExact(index: Index, store: EntryStore): Promise<void> {
  let count = 0;
  const bySegment = new Map<number, [number, number]>();
  for await (const [indexKey, record] of index.iterator(entryRange(''))) {
    if (versionOf(record) <= store.clearVersion) continue;
    count += 1;
    const { segment } = pointerOf(record);
    const [records, bytes] = bySegment.get(segment) ?? [0, 0];
    bySegment.set(segment, [records + 1, bytes + occupiedBytesOf(indexKey.length - 1, record)]);
  }
  assert.equal(store.count, count);
  for (const { id, records, bytesLive } of store.segments.values()) {
    assert.deepEqual([records, bytesLive], bySegment.get(id) ?? [0, 0], `segment ${id}`);
  }
}

/** Recounts with the real job, whose result is held back until `meanwhile` is done. */
async function recountWhile(
  t: Test,
  store: EntryStore,
  indexPath: string,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const held = async (request: RecountRequest): Promise<RecountResult> => {
    const counted = await recount(request);
    await meanwhile();
    return counted;
  };
  const recounting = new Recounting({ store, jobs: { recount: held }, indexPath, log: SILENT });
  t.after(() => recounting.stop());
  recounting.start();
  await eventually(() => store.countsAreSure);
}

describe('a recount', () => {
  it('brings all counters right while entries are written, overwritten and removed', async (t) => {
    const { index, directory } = await openedIndex(t);
    await filled(index);
    await spoil(index);
    const store = await EntryStore.load(index);
    assert.equal(store.countsAreSure, false);
    await recountWhile(t, store, directory.indexPath, async () => {
      const segment = await store.grantSegment(WRITER);
      for (let nth = 0; nth < 60; nth++) await store.delete(`key ${nth}`);
      for (let nth = 50; nth < 120; nth++) await put(store, segment, nth);
      for (let nth = 1000; nth < 1010; nth++) await put(store, segment, nth);
    });
    assert.equal(store.countsAreSure, true);
    await assertExact(index, store);
    const again = await EntryStore.load(index);
    assert.equal(again.countsAreSure, true, 'and it is known on disk');
    await assertExact(index, again);
  });

  it('is void where a clear came in between, which counts from nothing', async (t) => {
    const { index, directory } = await openedIndex(t);
    await filled(index);
    await spoil(index);
    const store = await EntryStore.load(index);
    await recountWhile(t, store, directory.indexPath, async () => {
      await store.purge('');
      await put(store, await store.grantSegment(WRITER), 5);
    });
    assert.equal(store.count, 1);
    await assertExact(index, store);
  });

  it('that was stopped is made by the next start of the store', async (t) => {
    const { index, directory } = await openedIndex(t);
    await filled(index);
    await spoil(index);
    const store = await EntryStore.load(index);
    const jobs = { recount: async (): Promise<RecountResult> => new Promise(() => undefined) };
    const { indexPath } = directory;
    const stopped = new Recounting({
      store,
      // Ends when its port is closed, as the job does.
      jobs: { recount: (request) => Promise.race([recount(request), jobs.recount()]) },
      indexPath,
      log: SILENT,
    });
    stopped.start();
    await stopped.stop();
    assert.equal(store.countsAreSure, false);
    const next = await EntryStore.load(index);
    assert.equal(next.countsAreSure, false);
    await recountWhile(t, next, indexPath, async () => undefined);
    await assertExact(index, next);
  });

  it('is made after changes were lost, and no version of theirs is given again', async (t) => {
    const { index } = await openedIndex(t);
    await filled(index);
    const sound = await EntryStore.load(index);
    const { version } = await sound.purge('x');
    const store = await EntryStore.load(index, { lostChanges: true });
    assert.equal(store.countsAreSure, false);
    assert.ok((await store.purge('y')).version > version + 2 ** 32);
  });
});
