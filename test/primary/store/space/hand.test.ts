/** The hand: what it removes, what it leaves, and when a purge counts as worked off. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import scanEntries, {
  type ScanRequest,
  type ScanResult,
} from '../../../../src/primary/jobs/scan-entries.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { Hand } from '../../../../src/primary/store/space/hand.ts';
import { MISS_CODES } from '../../../../src/protocol/miss.ts';
import { eventually } from '../../../eventually.ts';
import { holdWrites, openedIndex, recordOf, SILENT } from '../store-setup.ts';

type Scan = (request: ScanRequest) => Promise<ScanResult>;

/** A hand over a store with these keys; `scan` stands in for the job thread. */
async function handOver(
  test: Parameters<typeof openedIndex>[0],
  keys: readonly string[],
  scan: Scan = scanEntries,
  now: () => number = Date.now,
) {
  const { directory, index } = await openedIndex(test);
  const store = await EntryStore.load(index, { now });
  const segment = await store.grantSegment(1);
  const commit = (key: string, expiresAtMs = 0): Promise<unknown> =>
    store.commit(1, key, recordOf(key, { segment, expiresAtMs }));
  await Promise.all(keys.map((key) => commit(key)));
  const { indexPath } = directory;
  const jobs = { scanEntries: scan };
  const hand = new Hand({ store, jobs, indexPath, log: SILENT, now, roundPauseMs: 10 });
  test.after(() => hand.stop());
  const has = async (key: string): Promise<boolean> =>
    (await index.get(entryKey(key))) !== undefined;
  return { store, hand, index, commit, has };
}

describe('the hand', () => {
  it('removes what a purge took and nothing else, counts it, and forgets the purge', async (t) => {
    const { store, hand, has } = await handOver(t, ['a/1', 'a/2', 'a', 'b/1']);
    hand.start();
    const purge = await store.purge('a/');
    await hand.workOff(purge);
    assert.equal(purge.matched, 2);
    assert.equal(store.pendingPurges.length, 0);
    assert.equal(store.count, 2);
    assert.deepEqual(await Promise.all(['a/1', 'a/2', 'a', 'b/1'].map(has)), [
      false,
      false,
      true,
      true,
    ]);
  });

  it('finishes the purges inside a range together with the purge of that range', async (t) => {
    const scanned: string[] = [];
    const { store, hand } = await handOver(t, ['a/1/x', 'a/2/x', 'b'], (request) => {
      scanned.push(Buffer.from(request.gte).toString());
      return scanEntries(request);
    });
    const purges = [await store.purge('a/'), await store.purge('a/1/'), await store.purge('b')];
    const done = purges.map((purge) => hand.workOff(purge));
    hand.start();
    await Promise.all(done);
    assert.deepEqual(scanned.slice(0, 2), ['ea/', 'eb']);
    assert.deepEqual(
      purges.map(({ matched }) => matched),
      [2, 0, 1],
    );
  });

  it('does not finish a purge whose batch was still being written when the pass began', async (t) => {
    let onScan: () => Promise<unknown> = async () => undefined;
    const { store, hand, index, commit } = await handOver(t, ['a/old'], async (request) => {
      const result = await scanEntries(request);
      await onScan();
      return result;
    });
    const first = await store.purge('a/');
    const held = holdWrites(index);
    const writing = Promise.all([commit('a/new'), store.purge('a/')]);
    await held.reached;
    onScan = () => {
      onScan = async () => undefined;
      held.letGo();
      return writing;
    };
    hand.start();
    await hand.workOff(first);
    assert.equal((await store.lookUp(['a/new']))[0], MISS_CODES.purged);
    await eventually(() => store.pendingPurges.length === 0);
    assert.equal((await store.lookUp(['a/new']))[0], MISS_CODES['never-seen']);
  });

  it('keeps an entry that is written again while it is being scanned', async (t) => {
    let onScan: () => Promise<unknown> = async () => undefined;
    const { store, hand, commit } = await handOver(t, ['a/1', 'a/2'], async (request) => {
      const result = await scanEntries(request);
      await onScan();
      return result;
    });
    const purge = await store.purge('a/');
    onScan = () => commit('a/1');
    hand.start();
    await hand.workOff(purge);
    assert.equal(purge.matched, 2, 'the old entry counts, whoever removed it');
    assert.ok(Buffer.isBuffer((await store.lookUp(['a/1']))[0]));
    assert.equal(store.count, 1);
  });

  it('goes on where a chunk ended', async (t) => {
    const begins: string[] = [];
    const { store, hand } = await handOver(t, [], async ({ gte, lt }) => {
      begins.push(Buffer.from(gte).toString());
      assert.equal(Buffer.from(lt).toString(), 'eb');
      const next = ['ea1', 'ea2'][begins.length - 1];
      return { scanned: 1, dead: [], next: next === undefined ? next : Buffer.from(next) };
    });
    const purge = await store.purge('a');
    hand.start();
    await hand.workOff(purge);
    await hand.stop();
    assert.deepEqual(begins.slice(0, 3), ['ea', 'ea1', 'ea2']);
  });

  it('tries again after a job has failed', async (t) => {
    let failures = 0;
    const { store, hand, has } = await handOver(t, ['a/1'], (request) => {
      if (failures > 0) return scanEntries(request);
      failures += 1;
      return Promise.reject(new Error('the thread ended'));
    });
    const purge = await store.purge('a/');
    const done = hand.workOff(purge);
    hand.start();
    await done;
    assert.equal(failures, 1);
    assert.equal(await has('a/1'), false);
  });

  it('removes an expired entry a minute after its time, in its round', async (t) => {
    let nowMs = 1_000_000;
    let rounds = 0;
    const { store, hand, commit, has } = await handOver(
      t,
      ['lasting'],
      async (request) => {
        const result = await scanEntries(request);
        rounds += 1;
        return result;
      },
      () => nowMs,
    );
    await commit('short', nowMs + 1000);
    hand.start();
    nowMs += 60_999;
    await eventually(() => rounds > 0);
    assert.ok(await has('short'), 'it still says that it is expired');
    nowMs += 1001;
    await eventually(async () => !(await has('short')));
    assert.equal(store.count, 1);
  });

  it('lets go of those who wait when it stops, and of who comes after', async (t) => {
    const { store, hand } = await handOver(t, ['a']);
    const purge = await store.purge('a');
    const waiting = hand.workOff(purge);
    await hand.stop();
    await waiting;
    await hand.workOff(purge);
    assert.deepEqual(store.pendingPurges, [purge], 'it stays for the next start');
  });
});
