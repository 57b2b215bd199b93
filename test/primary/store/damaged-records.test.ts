/** What the counters say after records were damaged, and how they are brought right. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EntryStore } from '../../../src/primary/store/entry-store.ts';
import { entryKey } from '../../../src/primary/store/index/index-keys.ts';
import { openedIndex, recordOf } from './store-setup.ts';

const WRITER = 1;

/** A store of two entries in one segment, the record of one of which is replaced from outside. */
async function withDamaged(
  test: Parameters<typeof openedIndex>[0],
  damage: (record: Buffer) => Buffer,
) {
  const { index } = await openedIndex(test);
  const store = await EntryStore.load(index);
  const segment = await store.grantSegment(WRITER);
  for (const key of ['good', 'bad']) {
    await store.commit(WRITER, key, recordOf(key, { segment }));
  }
  const record = (await index.get(entryKey('bad'))) ?? Buffer.alloc(0);
  await index.put(entryKey('bad'), damage(Buffer.from(record)));
  return { store, segment };
}

const flipped = (record: Buffer): Buffer => {
  record[record.length - 1] = (record.at(-1) ?? 0) ^ 1;
  return record;
};
const cutShort = (record: Buffer): Buffer => record.subarray(0, 20);

describe('the counters', () => {
  for (const [what, damage] of Object.entries({ flipped, cutShort })) {
    it(`of a segment are brought right when its last record was ${what}`, async (t) => {
      const { store, segment } = await withDamaged(t, damage);
      await store.commit(WRITER, 'bad', recordOf('bad', { segment }));
      for (const key of ['good', 'bad']) assert.ok(await store.delete(key));
      assert.equal(store.count, 0, 'a record counts until it is removed, and no longer');
      assert.equal(store.segments.get(segment)?.records, 1, 'it did not say where it pointed');
      await store.emptySegment(segment);
      assert.equal(store.segments.get(segment)?.records, 1, 'more may be written while it is open');
      await store.sealSegment(WRITER, segment);
      await store.emptySegment(segment);
      const { records, bytesLive } = store.segments.get(segment) ?? {};
      assert.deepEqual([records, bytesLive], [0, 0]);
      assert.equal(await store.markDropping(segment), true);
    });
  }
});
