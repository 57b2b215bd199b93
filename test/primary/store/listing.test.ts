/** The listing in the primary: bounded work, and nothing twice or missing while others write. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EntryStore } from '../../../src/primary/store/entry-store.ts';
import type { Index } from '../../../src/primary/store/index/index-files.ts';
import { entryKey } from '../../../src/primary/store/index/index-keys.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { openedIndex, recordOf } from './store-setup.ts';

const WRITER = 1;
const byBytes = (one: string, other: string): number =>
  Buffer.compare(Buffer.from(one), Buffer.from(other));

async function writer(index: Index) {
  const store = await EntryStore.load(index);
  const segment = await store.grantSegment(WRITER);
  const put = (key: string) => store.commit(WRITER, key, recordOf(key, { segment }));
  return { store, put };
}

/** All keys below `prefix`, by pages of `limit`; `between` is done after each. */
async function keysOf(
  store: EntryStore,
  prefix: string,
  limit: number,
  between: () => unknown = () => undefined,
): Promise<string[]> {
  const keys: string[] = [];
  for (let after = '', pages = 0; pages < 1000; pages++) {
    const { entries, next } = await store.listing.page({ prefix, after, limit });
    assert.ok(entries.length <= limit);
    keys.push(...entries.map(({ key }) => key));
    if (next === undefined) return keys;
    after = next;
    await between();
  }
  return assert.fail('the listing does not end');
}

const names = fc.stringMatching(/^[a-c/é]{1,4}$/).filter((name) => !/^\/|\/$/.test(name));

describe('a listing', () => {
  it('is the sorted list of keys, whatever the prefix and the size of pages', async (t) => {
    const { index } = await openedIndex(t);
    const { store, put } = await writer(index);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(names, { maxLength: 30 }),
        fc.oneof(fc.constant(''), names),
        fc.integer({ min: 1, max: 12 }),
        async (keys, prefix, limit) => {
          await store.purge('');
          await Promise.all(keys.map(put));
          const expected = keys.filter((key) => key.startsWith(prefix)).sort(byBytes);
          assert.deepEqual(await keysOf(store, prefix, limit), expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('has no key twice and misses none that stays, while others come and go', async (t) => {
    const { index } = await openedIndex(t);
    const { store, put } = await writer(index);
    const staying = Array.from({ length: 200 }, (_, nth) => `k/${nth}`);
    await Promise.all([...staying, 'k/0x', 'k/99x'].map(put));
    let round = 0;
    const keys = await keysOf(store, 'k/', 7, async () => {
      round += 1;
      await Promise.all([
        put(`k/${(round * 37) % 200}`),
        put(`k/${round}-new`),
        store.delete(`k/${round - 1}-new`),
      ]);
    });
    assert.equal(new Set(keys).size, keys.length);
    assert.deepEqual(
      staying.filter((key) => !keys.includes(key)),
      [],
    );
    assert.deepEqual(keys, keys.toSorted(byBytes));
  });

  it('ends a page early where very many entries are not to be shown', async (t) => {
    const { index } = await openedIndex(t);
    const { store, put } = await writer(index);
    const puts = [];
    for (let nth = 0; nth < 20_000; nth++) {
      const key = `gone/${nth}`;
      puts.push({ type: 'put', key: entryKey(key), value: recordOf(key) } as const);
    }
    await index.batch(puts);
    await store.purge('gone/');
    await put('last');
    const page = await store.listing.page({ prefix: '', after: '', limit: 10 });
    assert.deepEqual(page.entries, []);
    assert.ok(page.next?.startsWith('gone/'));
    assert.deepEqual(await keysOf(store, '', 10), ['last']);
  });

  it('is made for so many at a time, and ends with the index', async (t) => {
    const { index } = await openedIndex(t);
    const { store, put } = await writer(index);
    await put('a');
    const asked = { prefix: '', after: '', limit: 1 };
    const pages = await Promise.allSettled(
      Array.from({ length: 17 }, () => store.listing.page(asked)),
    );
    const refused = pages.filter(({ status }) => status === 'rejected');
    assert.equal(refused.length, 1);
    assert.equal((refused[0] as PromiseRejectedResult).reason.code, 'OVERLOADED');
    assert.equal((await store.listing.page(asked)).entries.length, 1);
    await index.close();
    const isClosed = (error: unknown): boolean =>
      error instanceof BigCacheError && error.code === 'STORE_CLOSED';
    await assert.rejects(store.listing.page(asked), isClosed);
  });
});
