/** The write lane itself: grouping, order, refusals, bounds, and what follows a failed write. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EntryStore } from '../../../src/primary/store/entry-store.ts';
import { loadState } from '../../../src/primary/store/state.ts';
import { type LaneOperation, WriteLane } from '../../../src/primary/store/write-lane.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { MISS_CODES } from '../../../src/protocol/miss.ts';
import { versionOf } from '../../../src/protocol/record.ts';
import { beforeWrites, failWrites, holdWrites, openedIndex, recordOf } from './store-setup.ts';

const NO_SPACE = 'IO error: 000012.log: No space left on device';

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BigCacheError && error.code === code;
}

const nothing: LaneOperation<string> = { keys: [], apply: () => 'done' };

describe('the write lane', () => {
  it('writes what waits together, and acknowledges it in order', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const segment = await store.grantSegment(1);
    const held = holdWrites(index);
    const first = store.commit(1, 'first', recordOf('first', { segment }));
    await held.reached;
    let batches = 0;
    const later = Array.from({ length: 100 }, (_, nth) =>
      store.commit(1, `key ${nth}`, recordOf(`key ${nth}`, { segment })),
    );
    held.letGo();
    beforeWrites(index, async () => {
      batches += 1;
    });
    const versions = (await Promise.all([first, ...later])).map(({ version }) => version);
    assert.equal(batches, 1);
    const rising = versions.toSorted((one, other) => one - other);
    assert.deepEqual(versions, rising);
    assert.equal(new Set(versions).size, 101);
  });

  it('shows nothing of a batch before it is written', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const segment = await store.grantSegment(1);
    await store.commit(1, 'old', recordOf('old', { segment }));
    const held = holdWrites(index);
    const writing = [store.commit(1, 'new', recordOf('new', { segment })), store.purge('old')];
    await held.reached;
    assert.equal(store.count, 1);
    assert.equal(store.segments.get(segment)?.records, 1);
    assert.equal(store.pendingPurges.length, 0);
    const [old, fresh] = await store.lookUp(['old', 'new']);
    assert.ok(Buffer.isBuffer(old));
    assert.equal(fresh, MISS_CODES['never-seen']);
    held.letGo();
    await Promise.all(writing);
    assert.equal(store.count, 2);
    assert.equal((await store.lookUp(['old']))[0], MISS_CODES.purged);
  });

  it('has a grant on disk before it is answered, and does not sync for entries', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const synced: boolean[] = [];
    beforeWrites(index, async ({ sync }) => {
      synced.push(sync);
    });
    const segment = await store.grantSegment(1);
    await store.commit(1, 'key', recordOf('key', { segment }));
    assert.deepEqual(synced, [true, false]);
  });

  it('rejects a refused operation alone, and writes those around it', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const segment = await store.grantSegment(1);
    const [one, refused, other] = await Promise.allSettled([
      store.commit(1, 'one', recordOf('one', { segment })),
      store.commit(2, 'refused', recordOf('refused', { segment })),
      store.commit(1, 'other', recordOf('other', { segment })),
    ]);
    assert.equal(one.status, 'fulfilled');
    assert.ok(refused.status === 'rejected' && isCode('STORE_FAILED')(refused.reason));
    assert.equal(other.status, 'fulfilled');
    assert.equal(store.failure, undefined);
    assert.equal(store.count, 2);
  });

  it('refuses with OVERLOADED beyond 65,536 operations, and does those that it took', async (t) => {
    const { index } = await openedIndex(t);
    const lane = new WriteLane(index, await loadState(index), Date.now);
    const taken = Array.from({ length: 65_536 }, () => lane.run(nothing));
    await assert.rejects(lane.run(nothing), isCode('OVERLOADED'));
    const results = await Promise.all(taken);
    assert.ok(results.every((result) => result === 'done'));
    assert.equal(await lane.run(nothing), 'done');
  });

  it('finishes what it took when it is closed, and then refuses with STORE_CLOSED', async (t) => {
    const { index } = await openedIndex(t);
    const lane = new WriteLane(index, await loadState(index), Date.now);
    let applied = 0;
    const one: LaneOperation<number> = { keys: ['key'], apply: () => ++applied };
    const taken = Array.from({ length: 3000 }, () => lane.run(one));
    const closing = lane.close();
    await assert.rejects(lane.run(one), isCode('STORE_CLOSED'));
    await closing;
    assert.equal(applied, 3000);
    assert.equal((await Promise.all(taken)).at(-1), 3000);
  });
});

describe('after a write of the index has failed', () => {
  for (const [message, code, refusal] of [
    [NO_SPACE, 'LEVEL_IO_ERROR', 'DISK_FULL'],
    ['IO error: 000012.log: Input/output error', 'LEVEL_IO_ERROR', 'STORE_FAILED'],
  ] as const) {
    it(`every write is refused with ${refusal} and reads go on: ${message}`, async (t) => {
      const { index } = await openedIndex(t);
      const store = await EntryStore.load(index);
      const segment = await store.grantSegment(1);
      const kept = await store.commit(1, 'kept', recordOf('kept', { segment }));
      const repair = failWrites(index, message, code);
      const failing = [
        store.commit(1, 'kept', recordOf('kept', { segment, storedBytes: 99 })),
        store.delete('kept'),
        store.purge(''),
      ];
      await Promise.all(failing.map((one) => assert.rejects(one, isCode(refusal))));
      repair();
      // Even if the disk has room again: what LevelDB would take now, it may lose.
      await assert.rejects(store.delete('kept'), isCode(refusal));
      await assert.rejects(store.grantSegment(1), isCode(refusal));
      assert.ok(isCode(refusal)(store.failure));
      assert.equal(store.count, 1);
      assert.equal(store.segments.get(segment)?.records, 1);
      assert.equal(store.pendingPurges.length, 0);
      const [found] = await store.lookUp(['kept']);
      assert.ok(Buffer.isBuffer(found));
      assert.equal(versionOf(found), kept.version);
    });
  }

  it('those who wait for the next batch are refused too, and closing ends well', async (t) => {
    const { index } = await openedIndex(t);
    const lane = new WriteLane(index, await loadState(index), Date.now);
    failWrites(index, NO_SPACE, 'LEVEL_IO_ERROR');
    const purge: LaneOperation<unknown> = { keys: [], apply: (one) => one.purge({ prefix: 'p' }) };
    // The first batch takes 1,024 of them.
    const all = await Promise.allSettled(Array.from({ length: 2000 }, () => lane.run(purge)));
    for (const one of all) {
      assert.ok(one.status === 'rejected' && isCode('DISK_FULL')(one.reason));
    }
    await lane.close();
  });

  it('it may be failed from outside, for good', async (t) => {
    const { index } = await openedIndex(t);
    const lane = new WriteLane(index, await loadState(index), Date.now);
    await lane.run(nothing);
    lane.fail(new BigCacheError('STORE_FAILED'));
    lane.fail(new BigCacheError('DISK_FULL'));
    await assert.rejects(lane.run(nothing), isCode('STORE_FAILED'));
    assert.ok(isCode('STORE_FAILED')(lane.failure));
    await lane.close();
  });
});
