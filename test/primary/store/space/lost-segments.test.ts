/** Segments whose bytes are gone: their records are found in one search for all of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import findPointing from '../../../../src/primary/jobs/find-pointing.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { LostSegments } from '../../../../src/primary/store/space/lost-segments.ts';
import { logTo, openedIndex, recordOf } from '../store-setup.ts';

const WRITER = 1;

/** Three sealed segments of two entries each, of which the first two are lost. */
async function withLost(test: Parameters<typeof openedIndex>[0]) {
  const { directory, index } = await openedIndex(test);
  const store = await EntryStore.load(index);
  for (let nth = 1; nth <= 3; nth++) {
    const segment = await store.grantSegment(WRITER);
    for (const key of [`a/${segment}`, `b/${segment}`]) {
      await store.commit(WRITER, key, recordOf(key, { segment }));
    }
    await store.sealSegment(WRITER, segment);
  }
  const messages: string[] = [];
  const searched: (readonly number[])[] = [];
  const failing = { next: false };
  const jobs = {
    findPointing: (request: Parameters<typeof findPointing>[0]) => {
      searched.push(request.segments);
      if (failing.next) return Promise.reject(new Error('no thread'));
      return findPointing(request);
    },
  };
  const lost = new LostSegments(
    { store, jobs, indexPath: directory.indexPath, log: logTo(messages) },
    new Map([
      [1, 'missing'],
      [2, 'evicted'],
    ]),
  );
  return { store, lost, messages, searched, failing };
}

const recordsOf = (store: EntryStore): number[] =>
  [...store.segments.values()].map(({ records }) => records);

describe('lost segments', () => {
  it('are worked off together, and each is told with its cause', async (t) => {
    const { store, lost, messages, searched } = await withLost(t);
    while (await lost.step());
    assert.deepEqual(searched, [[1, 2]]);
    assert.deepEqual(recordsOf(store), [0, 0, 2]);
    assert.equal(store.evicted, 4);
    assert.deepEqual(messages, [
      'a segment file is missing; its entries are removed',
      'a segment was removed to make room for the index; its entries are evicted',
    ]);
  });

  it('have their entries read as evicted from the moment on at which they are known', async (t) => {
    const { store, lost } = await withLost(t);
    const before = await store.lookUp(['a/3']);
    assert.ok(Buffer.isBuffer(before[0]));
    await lost.add(3, 'unreadable');
    assert.ok(lost.has(3));
    const [after] = await store.lookUp(['a/3']);
    assert.ok(!Buffer.isBuffer(after));
    while (await lost.step());
    assert.equal(store.count, 0);
    assert.ok(!lost.has(3));
  });

  it('are searched for again from the begin when a search fails', async (t) => {
    const { store, lost, failing } = await withLost(t);
    failing.next = true;
    await assert.rejects(lost.step(), /no thread/);
    failing.next = false;
    while (await lost.step());
    assert.deepEqual(recordsOf(store), [0, 0, 2]);
  });
});
