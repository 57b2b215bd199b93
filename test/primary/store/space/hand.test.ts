/** The hand: what it removes, what it leaves, and when a purge counts as worked off. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import scanEntries, { type ScanRequest } from '../../../../src/primary/jobs/scan-entries.ts';
import { MISS_CODES } from '../../../../src/protocol/miss.ts';
import { eventually } from '../../../eventually.ts';
import { failWrites, holdWrites } from '../store-setup.ts';
import { handOver, numbered, textOf } from './hand-setup.ts';

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

  it('works off all purges that are pending in one pass over their ranges', async (t) => {
    const scanned: string[][] = [];
    const { store, hand } = await handOver(t, ['a/1/x', 'a/2/x', 'b', 'c'], {
      scan: (request) => {
        scanned.push(request.ranges.map(({ gte, lt }) => `${textOf(gte)} to ${textOf(lt)}`));
        return scanEntries(request);
      },
    });
    const purges = [await store.purge('a/1/'), await store.purge('a/'), await store.purge('b')];
    const done = purges.map((purge) => hand.workOff(purge));
    hand.start();
    await Promise.all(done);
    assert.deepEqual(scanned[0], ['ea/ to ea0', 'eb to ec']);
    assert.equal(store.pendingPurges.length, 0);
    assert.deepEqual(
      purges.map(({ matched }) => matched),
      [1, 1, 1],
    );
    await hand.stop();
    assert.ok(!scanned.slice(1).some((ranges) => ranges.includes('eb to ec')));
  });

  it('works off 10,000 purges in one pass, and tells each chunk of few of them', async (t) => {
    const requests: ScanRequest[] = [];
    const { store, hand } = await handOver(t, [...numbered('p/', 10), 'p', 'q'], {
      scan: (request) => {
        if (request.purges.length > 0) requests.push(request);
        return scanEntries(request);
      },
    });
    const prefixes = ['p/', ...numbered('p/', 9_999)];
    const purges = await Promise.all(prefixes.map((prefix) => store.purge(prefix)));
    hand.start();
    await Promise.all(purges.map((purge) => hand.workOff(purge)));
    assert.equal(store.pendingPurges.length, 0);
    assert.equal(store.count, 2);
    assert.equal(purges[0]?.matched, 10);
    assert.equal(requests.length, 40);
    assert.ok(requests.every((request) => request.purges.length <= 257));
    assert.ok(requests.every(({ ranges }) => ranges.length === 1));
  });

  it('does not finish a purge whose batch was still being written when the pass began', async (t) => {
    let onScan: () => Promise<unknown> = async () => undefined;
    const { store, hand, index, commit, has } = await handOver(t, ['a/old'], {
      scan: async (request) => {
        const result = await scanEntries(request);
        await onScan();
        return result;
      },
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
    assert.equal(await has('a/new'), false);
    assert.equal((await store.lookUp(['a/new']))[0], MISS_CODES.purged, 'it is remembered');
  });

  it('keeps an entry that is written again while it is being scanned', async (t) => {
    let onScan: () => Promise<unknown> = async () => undefined;
    const { store, hand, commit } = await handOver(t, ['a/1', 'a/2'], {
      scan: async (request) => {
        const result = await scanEntries(request);
        await onScan();
        return result;
      },
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
    const { store, hand } = await handOver(t, [], {
      scan: async ({ at }) => {
        begins.push(textOf(at));
        const next = ['ea1', 'ea2'][begins.length - 1];
        const scanned = { scanned: 1, dead: [], stale: [], share: 0.5 };
        return { ...scanned, next: next === undefined ? next : Buffer.from(next) };
      },
    });
    const purge = await store.purge('a');
    hand.start();
    await hand.workOff(purge);
    await hand.stop();
    assert.deepEqual(begins.slice(0, 3), ['e', 'ea1', 'ea2']);
  });

  it('tries again after a job has failed', async (t) => {
    let failures = 0;
    const { store, hand, has } = await handOver(t, ['a/1'], {
      scan: (request) => {
        if (failures > 0) return scanEntries(request);
        failures += 1;
        return Promise.reject(new Error('the thread ended'));
      },
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
    const { store, hand, commit, has } = await handOver(t, ['lasting'], {
      scan: async (request) => {
        const result = await scanEntries(request);
        rounds += 1;
        return result;
      },
      now: () => nowMs,
    });
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

  it('leaves those who wait alone with a purge when the index takes no writes', async (t) => {
    const { store, hand, index } = await handOver(t, ['a']);
    const purge = await store.purge('a');
    t.after(failWrites(index, 'No space left on device', 'LEVEL_IO_ERROR'));
    const done = hand.workOff(purge);
    hand.start();
    await done;
    await hand.workOff(purge);
    assert.deepEqual(store.pendingPurges, [purge]);
  });
});
