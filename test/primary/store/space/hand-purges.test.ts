/** The hand and the purges that are no prefix deletes: by tag, soft, of everything. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { MISS_CODES } from '../../../../src/protocol/miss.ts';
import { expiresAtOf, usefulUntilOf } from '../../../../src/protocol/record.ts';
import { recordOf } from '../store-setup.ts';
import { handOver, numbered } from './hand-setup.ts';

async function tagged(store: EntryStore, tags: Readonly<Record<string, string[]>>): Promise<void> {
  const [segment = 1] = [...store.segments.keys()];
  const keys = Object.keys(tags);
  await Promise.all(
    keys.map((key) =>
      store.commit(1, key, recordOf(key, { segment, tags: tags[key] ?? [], costMs: 3 })),
    ),
  );
}

describe('the hand', () => {
  it('removes what a purge by tag took, wherever it lies, with its figures', async (t) => {
    const { store, hand, has } = await handOver(t, ['plain']);
    await tagged(store, { 'a/1': ['x'], 'b/1': ['y', 'x'], c: ['y'] });
    const purge = await store.purgeBy({ prefix: '', tag: 'x' });
    assert.deepEqual(await store.lookUp(['a/1', 'b/1']), [MISS_CODES.purged, MISS_CODES.purged]);
    await tagged(store, { 'a/1': ['x'] });
    hand.start();
    await hand.workOff(purge);
    assert.deepEqual(await Promise.all(['a/1', 'b/1', 'c', 'plain'].map(has)), [
      true,
      false,
      true,
      true,
    ]);
    const { matched, removed, bytes, costMs } = store.findPurge(purge.version) ?? purge;
    assert.deepEqual([matched, removed, bytes, costMs], [2, 1, 20, 6]);
    assert.equal(store.count, 3);
    assert.equal(store.isTakenSince('new', ['x'], purge.version - 1), true);
    assert.equal(store.isTakenSince('new', ['y'], purge.version - 1), false);
  });

  it('rewrites what a soft purge took, which stays stale when the purge is forgotten', async (t) => {
    let nowMs = 5000;
    const { store, hand, commit, index, restart } = await handOver(t, ['ever'], {
      now: () => nowMs,
    });
    await commit('soon', 9000);
    await commit('late', 4999);
    const purge = await store.purgeBy({ prefix: '', isSoft: true });
    nowMs = 6000;
    await commit('after', 9000);
    hand.start();
    await hand.workOff(purge);
    assert.deepEqual([purge.matched, purge.removed, store.pendingPurges.length], [2, 0, 0]);
    const records = await index.getMany(['ever', 'soon', 'late', 'after'].map(entryKey));
    const times = records.map((one) => one && [expiresAtOf(one), usefulUntilOf(one)]);
    assert.deepEqual(times, [
      [5000, Number.MAX_SAFE_INTEGER],
      [5000, 9000],
      [4999, 4999],
      [9000, 9000],
    ]);
    await hand.stop();
    const { store: again } = await restart();
    const { state, reason } = await again.explain('ever');
    assert.deepEqual([state, reason], ['stale', 'expired'], 'by what is forgotten in a restart');
    const here = await store.explain('ever');
    assert.deepEqual([here.reason, here.purgeVersion], ['purged', purge.version]);
  });

  it('goes on with tags and soft purges after a restart, and keeps the reports', async (t) => {
    const { store, hand, has, restart } = await handOver(t, numbered('p/', 50));
    await tagged(store, { a: ['x'], z: ['x'] });
    const done = await store.purge('p/0000');
    hand.start();
    await hand.workOff(done);
    await hand.stop();
    const { version } = await store.purgeBy({ prefix: '', tag: 'x' });
    const { store: again, hand: anew } = await restart();
    assert.equal(again.findPurge(done.version)?.matched, 10);
    assert.equal(again.findPurge(version)?.finishedAtMs, null);
    anew.start();
    const [pending] = again.pendingPurges;
    assert.ok(pending !== undefined);
    await anew.workOff(pending);
    assert.deepEqual([await has('a'), await has('z'), again.count], [false, false, 40]);
    assert.equal(again.findPurge(version)?.matched, 2);
    assert.notEqual(again.findPurge(version)?.finishedAtMs, null);
  });

  it('counts for a purge of everything what it removes', async (t) => {
    const { store, hand } = await handOver(t, numbered('p/', 20));
    hand.start();
    const purge = await store.purge('');
    assert.equal(store.count, 0);
    await hand.workOff(purge);
    assert.deepEqual([purge.matched, purge.removed, purge.bytes], [20, 20, 200]);
  });

  it('keeps the reports of the newest 1,000 purges', async (t) => {
    const { store, hand } = await handOver(t, []);
    hand.start();
    const purges = await Promise.all(numbered('q/', 1002).map((prefix) => store.purge(prefix)));
    await Promise.all(purges.map((purge) => hand.workOff(purge)));
    const known = purges.filter(({ version }) => store.findPurge(version) !== undefined);
    assert.equal(known.length, 1000);
    assert.equal(known.at(-1), purges.at(-1));
  });
});
