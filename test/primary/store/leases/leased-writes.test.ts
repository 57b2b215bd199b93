/** Leases over the store itself: what is being written while a token is given, and what a batch holds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import {
  leaseAtOnce,
  leaseCold,
  StaleWindow,
} from '../../../../src/primary/store/leases/leased-reads.ts';
import { BigCacheError } from '../../../../src/protocol/errors.ts';
import { decodeRecord } from '../../../../src/protocol/record.ts';
import { holdWrites, openedIndex, recordOf } from '../store-setup.ts';

const WRITER = 1;
const START_MS = Date.UTC(2030, 0, 1);
type Test = Parameters<typeof openedIndex>[0];

async function storeWith(test: Test) {
  const { index } = await openedIndex(test);
  const clock = { nowMs: START_MS };
  const store = await EntryStore.load(index, { now: () => clock.nowMs });
  const segment = await store.grantSegment(WRITER, 1_000_000);
  test.after(async () => store.leases.close());
  const ask = async (key: string, stale: number = StaleWindow.none) => {
    const asked = [{ key, leaseMs: 10_000, stale, waiter: undefined }];
    const [warm] = leaseAtOnce(store, asked);
    const [found, token] = warm ?? (await leaseCold(store, asked))[0] ?? [];
    return { found, token: token ?? undefined };
  };
  const tokenFor = async (key: string): Promise<string> => {
    const { token } = await ask(key);
    assert.ok(token !== undefined, `the lease of ${key}`);
    return token;
  };
  const put = (key: string, token?: string) =>
    store.commit(WRITER, key, recordOf(key, { segment }), undefined, token);
  return { index, store, clock, segment, ask, tokenFor, put };
}

function isLost(error: unknown): boolean {
  return error instanceof BigCacheError && error.code === 'LEASE_LOST';
}

describe('a lease token over the store', () => {
  it('is given to nobody whose worker died while the index was read', async (t) => {
    const { store, ask } = await storeWith(t);
    const asked = { key: 'a', leaseMs: 10_000, stale: StaleWindow.none, waiter: undefined };
    assert.deepEqual(await leaseCold(store, [asked], () => false), []);
    assert.equal(store.leases.counts.held, 0);
    assert.ok((await ask('a')).token, 'the next one has it');
  });

  it('is lost by what was being written when it was given', async (t) => {
    const { index, store, tokenFor, put } = await storeWith(t);
    const changes: [string, () => Promise<unknown>][] = [
      ['a/written', () => put('a/written')],
      ['b/deleted', () => store.delete('b/deleted')],
      ['c/purged', () => store.purge('c/')],
    ];
    for (const [key, change] of changes) {
      const held = holdWrites(index);
      const changing = change();
      // A deletion that finds nothing writes nothing.
      const isWriting = await Promise.race([
        held.reached.then(() => true),
        changing.then(() => false),
      ]);
      assert.equal(isWriting, key !== 'b/deleted');
      const token = isWriting ? await tokenFor(key) : undefined;
      held.letGo();
      await changing;
      if (token !== undefined) await assert.rejects(put(key, token), isLost, key);
    }
  });

  it('is judged in the order of a batch', async (t) => {
    const { store, tokenFor, put } = await storeWith(t);
    const keys = ['a/1', 'a/2', 'a/3', 'a/4'] as const;
    const [first, second, third, fourth] = await Promise.all(keys.map(tokenFor));
    const outcomes = await Promise.allSettled([
      put('a/1', first),
      put('a/1', first),
      store.delete('a/2'),
      put('a/2', second),
      put('a/3'),
      put('a/3', third),
      store.purge('a/'),
      put('a/4', fourth),
    ]);
    const lost = outcomes.map(({ status }) => status === 'rejected');
    assert.deepEqual(lost, [false, true, false, true, false, true, false, true]);
    assert.equal(store.leases.counts.lost, 4);
  });

  it('is not lost by what the hand and the reclaimer remove', async (t) => {
    const { store, segment, clock, tokenFor, put } = await storeWith(t);
    const version = await store
      .commit(WRITER, 'old', recordOf('old', { segment, expiresAtMs: START_MS + 10 }))
      .then((committed) => committed.version);
    clock.nowMs += 20;
    const token = await tokenFor('old');
    assert.equal(await store.removeSeen([{ key: 'old', version }]), 1);
    assert.ok((await put('old', token)).created);
  });

  it('is given with a stale entry to those who are shown it, and to one of them', async (t) => {
    const { store, segment, clock, ask } = await storeWith(t);
    const windows = {
      expiresAtMs: START_MS + 10,
      staleWhileRevalidateUntilMs: START_MS + 100,
      staleIfErrorUntilMs: START_MS + 1000,
    };
    await store.commit(WRITER, 'stale', recordOf('stale', { segment, ...windows }));
    const isShown = async (stale: number): Promise<boolean> =>
      Buffer.isBuffer((await ask('stale', stale)).found);
    assert.deepEqual(await ask('stale').then(({ token }) => token), undefined, 'it is fresh');
    clock.nowMs += 50;
    const { found, token } = await ask('stale', StaleWindow.whileRevalidate);
    assert.ok(Buffer.isBuffer(found) && token !== undefined);
    assert.equal((await ask('stale', StaleWindow.whileRevalidate)).token, undefined);
    assert.equal(await isShown(StaleWindow.none), false);
    clock.nowMs += 100;
    assert.equal(await isShown(StaleWindow.whileRevalidate), false);
    assert.equal(await isShown(StaleWindow.ifError), true);
  });

  it('leaves the cost that its writer tells, where a miss would tell another', async (t) => {
    const { store, clock, tokenFor, put } = await storeWith(t);
    const token = await tokenFor('leased');
    await store.lookUp(['plain']);
    clock.nowMs += 300;
    await put('leased', token);
    await put('plain');
    const costOf = async (key: string): Promise<number | undefined> => {
      const [found] = await store.lookUp([key]);
      return Buffer.isBuffer(found) ? decodeRecord(Buffer.from(key), found)?.costMs : undefined;
    };
    assert.deepEqual([await costOf('leased'), await costOf('plain')], [0, 300]);
  });
});
