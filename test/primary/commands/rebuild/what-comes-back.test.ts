/** What a rebuild brings back of each key, and to whom it is shown. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { report } from '../../../../src/primary/commands/rebuild/command.ts';
import { APPEND_HEADER_BYTES, APPEND_STATE_AT } from '../../../../src/segments/format.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { JSON_META, pattern, RAW_META } from '../../../workers/store/store-subject.ts';
import {
  filledStore,
  flip,
  plainStore,
  readAll,
  recordIn,
  segmentPath,
} from '../stopped-store-setup.ts';
import { isSound, rebuild } from './rebuild-setup.ts';

describe('what comes back', () => {
  it('is stale unless it is trusted, and shown to those alone who take stale entries on errors', async (t) => {
    const path = await temporaryDirectory(t);
    const nowMs = Date.now();
    const inAnHour = { ...RAW_META, expiresAtMs: nowMs + 3_600_000 };
    const inTwoHoursMs = nowMs + 7_200_000;
    await filledStore(path, async ({ store }) => {
      await store.put('for ever', RAW_META, pattern(10));
      await store.put('deleted', RAW_META, pattern(10));
      await store.delete('deleted');
      await store.put('for an hour', inAnHour, pattern(20));
      const over = { ...RAW_META, expiresAtMs: nowMs - 1 };
      await store.put('over', over, pattern(20));
      const window = { staleWhileRevalidateUntilMs: inTwoHoursMs };
      await store.put('stale before', { ...over, ...window }, pattern(20));
    });
    const result = await rebuild(path, false);
    assert.deepEqual([result.entries, result.expired], [5, 2]);
    const forEver = await recordIn(path, 'for ever');
    assert.ok(forEver.expiresAtMs >= nowMs && forEver.expiresAtMs <= Date.now());
    assert.equal(forEver.staleWhileRevalidateUntilMs, 0);
    assert.equal(forEver.staleIfErrorUntilMs, Number.MAX_SAFE_INTEGER);
    const forAnHour = await recordIn(path, 'for an hour');
    assert.equal(forAnHour.expiresAtMs, forEver.expiresAtMs);
    assert.equal(forAnHour.staleIfErrorUntilMs, inAnHour.expiresAtMs);
    const before = await recordIn(path, 'stale before');
    assert.deepEqual(
      [before.staleWhileRevalidateUntilMs, before.staleIfErrorUntilMs],
      [0, inTwoHoursMs],
    );
    const over = await recordIn(path, 'over');
    assert.deepEqual([over.expiresAtMs, over.staleIfErrorUntilMs], [nowMs - 1, 0]);
    await filledStore(path, async ({ store }) => {
      for (const key of ['for ever', 'deleted', 'stale before']) {
        const miss = await store.get(key, { stale: 'while-revalidate' });
        assert.deepEqual(miss, { found: false, reason: 'expired' }, key);
        const hit = await store.get(key, { stale: 'if-error' });
        assert.ok(hit.found, key);
        hit.content.release();
      }
    });
    await isSound(path);
    assert.match(report(result), /5 entries in the new index of .*, 2 of them expired/);
    assert.match(report(result), /run it again\nwith --trust before the next start/);
    assert.equal((await rebuild(path, true)).expired, 2);
    assert.deepEqual(
      [...(await readAll(path, ['for ever', 'for an hour', 'over'])).keys()],
      ['for ever', 'for an hour'],
    );
  });

  it('is the append that was stored last by the clock, with all that belongs to it', async (t) => {
    const path = await temporaryDirectory(t);
    const meta = { ...JSON_META, expire: 4e9, expiresAtMs: 4e12, duration: '28d' };
    await filledStore(
      path,
      async ({ store }) => {
        await store.put('key', RAW_META, pattern(1));
        await store.put('key', meta, pattern(20));
      },
      () => 2_000_000_000_000,
    );
    const before = await recordIn(path, 'key');
    await filledStore(
      path,
      async ({ store }) => void (await store.put('key', RAW_META, pattern(30))),
      () => 1_900_000_000_000,
    );
    const { counts } = await rebuild(path);
    assert.equal(counts.displaced, 2);
    const after = await recordIn(path, 'key');
    assert.deepEqual({ ...after, version: 0 }, { ...before, version: 0 });
    await isSound(path);
  });

  it('is no older body where the newest of a key is damaged', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const newer = async (key: string): Promise<void> =>
      filledStore(path, async ({ store }) => void (await store.put(key, RAW_META, pattern(500))));
    await newer('page/1');
    const { pointer } = await recordIn(path, 'page/1');
    await newer('page/2');
    await flip(segmentPath(path, pointer.segment), pointer.offset);
    const { entries, counts, quarantined } = await rebuild(path);
    assert.deepEqual([entries, counts.damagedBodies], [40, 1]);
    // Nothing but the damaged body is in that file, and the server would delete it.
    assert.deepEqual(quarantined, ['00000002.seg']);
    assert.ok(readdirSync(join(path, 'quarantine')).some((name) => /^\d+-00000002/.test(name)));
    await isSound(path);
    const found = await readAll(path, ['page/1', 'page/2']);
    assert.deepEqual([...found.values()], [pattern(500)]);
  });

  it('is a later body where an older one is damaged', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const { pointer } = await recordIn(path, 'page/1');
    await filledStore(path, async ({ store }) => {
      await store.put('page/1', RAW_META, pattern(500));
    });
    await flip(segmentPath(path, pointer.segment), pointer.offset);
    assert.equal((await rebuild(path)).entries, 41);
    assert.deepEqual((await readAll(path, ['page/1'])).get('page/1'), pattern(500));
    await isSound(path);
  });

  it('is nothing that was refused', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const { pointer } = await recordIn(path, 'page/1');
    const state = pointer.offset - 'page/1'.length - APPEND_HEADER_BYTES + APPEND_STATE_AT;
    await flip(segmentPath(path, 1), state);
    const { entries, counts } = await rebuild(path);
    assert.deepEqual([entries, counts.voidAppends], [40, 1]);
    await isSound(path);
  });

  it('is everything around a damaged append, and nothing that hides in a body', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    // A body that looks like a segment: whoever searched for appends would find `page/0` in it.
    const decoy = readFileSync(segmentPath(path, 1)).subarray(64);
    await filledStore(path, async ({ store }) => {
      await store.put('before', RAW_META, pattern(10));
      await store.put('decoy', RAW_META, decoy);
      await store.put('after', RAW_META, pattern(10));
    });
    await rm(segmentPath(path, 1));
    const { pointer } = await recordIn(path, 'decoy');
    const begin = pointer.offset - 'decoy'.length - APPEND_HEADER_BYTES;
    await flip(segmentPath(path, 2), begin);
    const first = await rebuild(path);
    assert.deepEqual([first.entries, first.counts.damagedPlaces], [2, 1]);
    const keys = ['before', 'decoy', 'after', 'page/0'];
    assert.deepEqual([...(await readAll(path, keys)).keys()], ['before', 'after']);
    await flip(segmentPath(path, 2), begin + 17);
    const second = await rebuild(path);
    assert.deepEqual([second.entries, second.counts.damagedPlaces], [1, 1]);
    assert.ok(second.counts.damagedBytes > decoy.length);
    assert.deepEqual([...(await readAll(path, keys)).keys()], ['before']);
    await isSound(path);
  });

  it('is what stands before a torn tail', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const { pointer } = await recordIn(path, 'page/39');
    await truncate(segmentPath(path, 1), pointer.offset + 10);
    const { entries, counts } = await rebuild(path);
    assert.deepEqual([entries, counts.tornTails, counts.damagedPlaces], [39, 1, 0]);
    await isSound(path);
  });
});
