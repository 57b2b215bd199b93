/** Closing the store while workers write without a pause. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SegmentState } from '../../../src/primary/store/segment-stats.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer } from './segment-store-setup.ts';
import { pattern, RAW_META, read } from './store-subject.ts';

describe('a store that is closed under steady writing', () => {
  it('closes at once, loses nothing it acknowledged, and writes again when it is opened', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const workers = [server.addWorker(), server.addWorker()];
    const acknowledged = new Map<string, number>();
    const refusals = new Set<string>();
    let isWriting = true;
    const writers = workers.map(async ({ store }, nth) => {
      for (let round = 1; isWriting; round++) {
        const key = `${nth}/${round % 50}`;
        try {
          await store.put(key, RAW_META, pattern(1000, round));
          acknowledged.set(key, round);
        } catch (error) {
          refusals.add(error instanceof BigCacheError ? error.code : String(error));
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const closed = server.storage.entries;
    const begin = Date.now();
    await server.storage.close();
    assert.ok(Date.now() - begin < 4500, 'nobody waited for a deadline');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([...refusals], ['STORE_CLOSED']);
    await server.storage.open();
    // The writers may have new ones already.
    const { segment: firstNew } = closed.unused;
    const before = [...server.storage.entries.segments.values()].filter(({ id }) => id < firstNew);
    assert.ok(before.length > 0);
    assert.ok(before.every(({ state }) => state === SegmentState.sealed));
    await new Promise((resolve) => setTimeout(resolve, 100));
    isWriting = false;
    await Promise.all(writers);
    assert.deepEqual([...refusals], ['STORE_CLOSED']);
    const [reader] = workers;
    assert.ok(reader !== undefined && acknowledged.size > 0);
    for (const [key, round] of acknowledged) {
      assert.ok((await read(reader.store, key))?.equals(pattern(1000, round)), key);
    }
    await server.stop();
  });
});
