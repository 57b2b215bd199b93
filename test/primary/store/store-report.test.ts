/** What the primary tells of its store: true while it is open, kept while it is closed, never less. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Storage } from '../../../src/primary/store/storage.ts';
import { STORE_COUNTS, STORE_FIGURES } from '../../../src/protocol/figures.ts';
import { eventually } from '../../eventually.ts';
import { openedStorage } from './opened-storage.ts';
import { recordOf } from './store-setup.ts';

async function write(storage: Storage, ...keys: string[]): Promise<void> {
  const segment = await storage.grantSegment(1, 4096);
  for (const key of keys) {
    await storage.entries.commit(1, key, recordOf(key, { segment, storedBytes: 1000 }));
  }
}

describe('the report of a store', () => {
  it('has every figure, and those of an empty store', async (t) => {
    const { storage } = await openedStorage(t);
    const { store, storeCounts } = storage.statistics;
    assert.deepEqual(Object.keys(store).sort(), [...STORE_FIGURES].sort());
    assert.deepEqual(Object.keys(storeCounts).sort(), [...STORE_COUNTS].sort());
    assert.deepEqual([store.isOpen, store.isWritable, store.entries], [1, 1, 0]);
    assert.ok(store.diskBytes > store.diskFreeBytes && store.diskFreeBytes > 0);
    assert.ok(store.indexBytes > 0 && store.storeBytes >= store.indexBytes);
    for (const name of STORE_COUNTS) assert.equal(storeCounts[name], 0, name);
  });

  it('follows what is written, purged and dropped', async (t) => {
    const { storage } = await openedStorage(t);
    await write(storage, 'a/1', 'a/2', 'b');
    const written = storage.statistics.store;
    assert.deepEqual([written.entries, written.segmentsOpen, written.segmentsSealed], [3, 1, 0]);
    assert.ok(written.segmentLiveBytes > 3000 && written.segmentBytes >= 4096);
    assert.equal(await storage.deletePrefix('a/'), 2);
    const { store, storeCounts } = storage.statistics;
    assert.deepEqual([store.entries, store.purgesPending], [1, 0]);
    assert.ok(store.segmentLiveBytes < written.segmentLiveBytes);
    assert.deepEqual(
      [storeCounts.purgesFinished, storeCounts.handPasses, storeCounts.handRemoved],
      [1, 1, 2],
    );
    assert.ok(storeCounts.handScanned >= 2);
  });

  it('keeps its counts when the store is closed and opened again, and its figures meanwhile', async (t) => {
    const { storage } = await openedStorage(t);
    await write(storage, 'a/1', 'b');
    await storage.deletePrefix('a/');
    storage.entries.leases.acquire('k', 1000, { miss: 1, tags: [] });
    const { storeCounts: before } = storage.statistics;
    assert.equal(before.leasesGiven, 1);
    await storage.close();
    const closed = storage.statistics;
    assert.deepEqual([closed.store.isOpen, closed.store.isWritable], [0, 0]);
    assert.deepEqual([closed.store.entries, closed.store.leasesHeld], [1, 0]);
    for (const name of STORE_COUNTS) assert.ok(closed.storeCounts[name] >= before[name], name);
    await storage.open();
    const { store, storeCounts } = storage.statistics;
    assert.deepEqual([store.isOpen, store.entries, store.leasesHeld], [1, 1, 0]);
    for (const name of STORE_COUNTS) {
      assert.ok(storeCounts[name] >= closed.storeCounts[name], name);
    }
    await write(storage, 'a/1');
    await storage.deletePrefix('a/');
    assert.equal(storage.statistics.storeCounts.purgesFinished, 2);
  });

  it('counts segments that are gone, and tells when all is on the disk', async (t) => {
    const { storage } = await openedStorage(t);
    await write(storage, 'a');
    await storage.clear();
    await storage.sealSegmentsOf(1);
    await eventually(() => storage.statistics.storeCounts.segmentsDropped === 1, 10_000);
    await eventually(() => storage.statistics.store.unsyncedAgeMs === 0);
    assert.ok(storage.statistics.store.syncAgeMs > 0);
  });
});
