/** The store contract: purges by prefix, by tag and of everything, hard and soft, and explanations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PurgeOrder, PurgeReport, PurgeSelector } from '../../../src/protocol/purge.ts';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import { eventually } from '../../eventually.ts';
import { missReason, RAW_META, rejectsWith, type Subject } from './store-subject.ts';

export function purging(subject: Subject): void {
  const put = (key: string, tags: readonly string[], more: Partial<EntryRecord> = {}) =>
    subject().store.put(key, { ...RAW_META, ...more, tags }, Buffer.from('body'));
  const order = (selector: PurgeSelector, more: Partial<PurgeOrder> = {}): PurgeOrder => ({
    ...{ selector, isSoft: false, isDryRun: false },
    ...more,
  });
  const finished = async (version: number): Promise<PurgeReport> => {
    const { store } = subject();
    await eventually(async () => (await store.purgeReport(version))?.finishedAtMs !== null);
    const report = await store.purgeReport(version);
    assert.ok(report !== undefined);
    return report;
  };
  const state = async (key: string) => {
    const { state, reason, purgeVersion } = await subject().store.explain(key);
    return [state, reason, purgeVersion];
  };

  test('a purge by tag takes those that have the tag, and nothing that is stored later', async () => {
    const { store } = subject();
    await put('tag/1', ['x', 'y']);
    await put('tag/2', ['y', '태그']);
    await put('tag/3', []);
    const version = await store.purge(order({ tag: 'x' }));
    assert.equal(await missReason(store, 'tag/1'), 'purged');
    assert.equal(await missReason(store, 'tag/2'), 'found');
    assert.equal((await put('tag/1', ['x'])).created, true);
    assert.equal(await missReason(store, 'tag/1'), 'found');
    const { matched, bytes, selector } = await finished(version);
    assert.deepEqual([matched, bytes, selector], [1, 4, { tag: 'x' }]);
    await finished(await store.purge(order({ tag: '태그' })));
    assert.equal(await missReason(store, 'tag/2'), 'purged');
    assert.equal(await missReason(store, 'tag/3'), 'found');
  });

  test('a soft purge makes stale what is fresh, for as long as it would have lived', async () => {
    const { store, now } = subject();
    const later = now() + 60_000;
    await put('soft/ever', ['s']);
    await put('soft/later', ['s'], { expiresAtMs: later, staleIfErrorUntilMs: later + 5 });
    const version = await store.purge(order({ tag: 's' }, { isSoft: true }));
    for (let round = 0; round < 2; round++) {
      for (const key of ['soft/ever', 'soft/later']) {
        const hidden = await store.get(key);
        assert.equal(hidden.found, false, 'who takes nothing stale gets nothing');
        const shown = await store.get(key, { stale: 'while-revalidate' });
        assert.ok(shown.found);
        shown.content.release();
        assert.ok(shown.record.expiresAtMs <= now());
        assert.ok(shown.record.staleWhileRevalidateUntilMs >= later);
        assert.deepEqual(await state(key), ['stale', 'purged', version]);
      }
      const only = (record: unknown): boolean => record === undefined;
      const refused = store.put('soft/ever', RAW_META, Buffer.from('x'), only);
      await rejectsWith(refused, 'PRECONDITION_FAILED');
      // Once by the purge, and once by what it has written.
      const { matched, removed } = await finished(version);
      assert.deepEqual([matched, removed], [2, 0]);
    }
    const { record } = { record: await store.find('soft/later') };
    assert.equal((record as EntryRecord).staleIfErrorUntilMs, later + 5);
    assert.equal(await store.delete('soft/ever'), true);
  });

  test('a dry run counts what a purge would take, and takes nothing', async () => {
    const { store } = subject();
    await put('dry/1', ['d']);
    await put('dry/2', ['d']);
    const version = await store.purge(order({ prefix: 'dry/' }, { isDryRun: true }));
    const report = await finished(version);
    assert.deepEqual([report.matched, report.removed, report.bytes], [2, 0, 8]);
    assert.deepEqual([report.isDryRun, report.selector], [true, { prefix: 'dry/' }]);
    assert.equal(await missReason(store, 'dry/1'), 'found');
  });

  test('what became of a key is explained', async () => {
    const { store } = subject();
    assert.deepEqual(await state('why/never'), ['miss', 'never-seen', 0]);
    await put('why/hit', ['w']);
    const told = await store.explain('why/hit');
    assert.deepEqual([told.state, told.reason, told.entry?.tags], ['hit', 'fresh', ['w']]);
    assert.equal(told.entry?.plainBytes, 4);
    await put('why/expired', [], { expiresAtMs: 1 });
    assert.deepEqual(await state('why/expired'), ['miss', 'expired', 0]);
    await put('why/deleted', []);
    await store.delete('why/deleted');
    assert.deepEqual(await state('why/deleted'), ['miss', 'deleted', 0]);
    const version = await store.purge(order({ prefix: 'why/h' }));
    assert.deepEqual(await state('why/hit'), ['miss', 'purged', version]);
    assert.deepEqual((await store.explain('why/hit')).purge?.selector, { prefix: 'why/h' });
    await finished(version);
    assert.deepEqual(await state('why/hit'), ['miss', 'purged', version]);
  });

  test('a purge of everything leaves nothing, and one that nobody began is not known', async () => {
    const { store } = subject();
    await put('all/1', []);
    const soft = await store.purge(order({ all: true }, { isSoft: true }));
    assert.deepEqual(await state('all/1'), ['stale', 'purged', soft]);
    const hard = await store.purge(order({ all: true }));
    assert.equal(await store.count(), 0);
    assert.deepEqual(await state('all/1'), ['miss', 'purged', hard]);
    assert.ok((await finished(hard)).matched >= 1);
    assert.equal(await store.purgeReport(hard + 1), undefined);
  });
}
