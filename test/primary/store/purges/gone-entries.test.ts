/** What is remembered of entries that are gone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { GoneEntries } from '../../../../src/primary/store/purges/gone-entries.ts';
import { versionOf } from '../../../../src/protocol/record.ts';
import { openedIndex, recordOf } from '../store-setup.ts';

describe('the memory of gone entries', () => {
  it('says why, when and by which purge, and the last that happened', () => {
    const gone = new GoneEntries(5);
    gone.note('a', 'evicted', 10);
    gone.note('b', 'purged', 11, 2 ** 40);
    gone.note('a', 'deleted', 12);
    assert.deepEqual(gone.get('a'), { reason: 'deleted', atMs: 12, purgeVersion: 0 });
    assert.deepEqual(gone.get('b'), { reason: 'purged', atMs: 11, purgeVersion: 2 ** 40 });
    assert.equal(gone.get('c'), undefined);
    assert.equal(gone.sinceMs, 5);
  });

  it('is bounded: of many the newest are known, and none is taken for another', () => {
    const gone = new GoneEntries(0);
    const many = 300_000;
    for (let nth = 0; nth < many; nth++) gone.note(`key/${nth}`, 'evicted', nth);
    let known = 0;
    for (let nth = 0; nth < many; nth++) {
      const found = gone.get(`key/${nth}`);
      if (found === undefined) continue;
      known += 1;
      assert.equal(found.atMs, nth);
    }
    assert.ok(known > 125_000 && known <= 131_072, `${known} are known`);
    assert.ok(gone.get(`key/${many - 1}`) !== undefined);
    for (let nth = 0; nth < 10_000; nth++) assert.equal(gone.get(`other/${nth}`), undefined);
  });
});

describe('an explanation', () => {
  it('names what became of a key, in every way in which an entry can go', async (t) => {
    const { index } = await openedIndex(t);
    let nowMs = 1000;
    const store = await EntryStore.load(index, { now: () => nowMs, gone: new GoneEntries(7) });
    const segment = await store.grantSegment(1);
    const seen = async (key: string, expiresAtMs = 0) => {
      const record = recordOf(key, { segment, expiresAtMs });
      await store.commit(1, key, record);
      return { key, version: versionOf(record), from: { segment, offset: 100 } };
    };
    const why = async (key: string) => {
      const { state, reason, atMs, purgeVersion } = await store.explain(key);
      return [state, reason, atMs, purgeVersion];
    };
    assert.deepEqual(await why('never'), ['miss', 'never-seen', 0, 0]);
    const expiring = await seen('expired', 1500);
    const [evicted, damaged, purged] = [await seen('e'), await seen('d'), await seen('p')];
    await seen('deleted');
    assert.deepEqual(await why('p'), ['hit', 'fresh', 1, 0]);
    nowMs = 2000;
    await store.delete('deleted');
    await store.evict([evicted]);
    assert.equal(await store.removeSeen([damaged]), 1);
    assert.deepEqual(await why('expired'), ['miss', 'expired', 1500, 0]);
    await store.removeSeen([expiring]);
    const { version } = await store.purge('p');
    assert.deepEqual(await why('p'), ['miss', 'purged', 2000, version]);
    assert.deepEqual((await store.explain('p')).purge?.selector, { prefix: 'p' });
    await store.removeSeen([purged]);
    await store.finishPurges([version]);
    nowMs = 3000;
    assert.deepEqual(await why('p'), ['miss', 'purged', 2000, version]);
    assert.deepEqual((await store.explain('p')).purge?.selector, { prefix: 'p' });
    assert.deepEqual(await why('deleted'), ['miss', 'deleted', 2000, 0]);
    assert.deepEqual(await why('e'), ['miss', 'evicted', 2000, 0]);
    assert.deepEqual(await why('d'), ['miss', 'damaged', 2000, 0]);
    assert.deepEqual(await why('expired'), ['miss', 'expired', 1500, 0]);
    await seen('e');
    assert.deepEqual(await why('e'), ['hit', 'fresh', 1, 0]);
    assert.equal((await store.explain('e')).rememberedSinceMs, 7);
  });
});
