/** Where the hand goes on: over a stop, a kill, and a damaged position. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import scanEntries from '../../../../src/primary/jobs/scan-entries.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { encodeHandPosition } from '../../../../src/primary/store/space/hand-position.ts';
import { eventually } from '../../../eventually.ts';
import { handOver, numbered, textOf } from './hand-setup.ts';

describe('the position of the hand', () => {
  const KEYS = numbered('a/', 5000);

  it('is kept over a stop: a purge is not begun anew', async (t) => {
    let chunks = 0;
    const begins: string[] = [];
    const { store, hand, restart } = await handOver(t, KEYS, {
      hand: { entriesPerSecond: 10_000 },
      scan: async (request) => {
        const result = await scanEntries(request);
        if (request.purges.length > 0) begins.push(textOf(request.at));
        chunks += 1;
        return result;
      },
    });
    await store.purge('a/');
    hand.start();
    await eventually(() => chunks >= 2);
    await hand.stop();
    const removed = KEYS.length - store.count;
    assert.ok(removed >= 2000 && removed < KEYS.length, `${removed} removed`);
    assert.equal(hand.progress.removed, removed);
    const before = begins.length;
    const again = await restart();
    assert.equal(again.hand.progress.removed, removed, 'the figures go on too');
    again.hand.start();
    const [purge] = again.store.pendingPurges;
    assert.ok(purge !== undefined);
    await again.hand.workOff(purge);
    assert.equal(begins[before], `e${KEYS[removed - 1]}\0`);
    assert.equal(again.store.count, 0);
  });

  it('holds for the purges that it was saved for, not for those that came later', async (t) => {
    let chunks = 0;
    const { store, hand, restart, has, commit } = await handOver(t, KEYS, {
      hand: { entriesPerSecond: 10_000 },
      scan: (request) => {
        chunks += 1;
        return scanEntries(request);
      },
    });
    await store.purge('a/');
    hand.start();
    await eventually(() => chunks >= 2);
    await hand.stop();
    await commit('a/00000');
    await store.purge('a/0');
    const again = await restart();
    again.hand.start();
    await eventually(() => again.store.pendingPurges.length === 0);
    assert.equal(await has('a/00000'), false, 'it lay behind the position of the first purge');
    assert.equal(again.store.count, 0);
  });

  it('is saved on the way, for a process that is killed', async (t) => {
    let chunks = 0;
    const { store, hand, restart } = await handOver(t, [], {
      scan: async ({ at }) => {
        chunks += 1;
        const next = Buffer.from(`${textOf(at).slice(0, 2)}${String(chunks).padStart(6, '0')}`);
        return { scanned: 1, dead: [], stale: [], next, share: 0.25 };
      },
    });
    await store.purge('a');
    hand.start();
    await eventually(() => chunks > 100);
    const again = await restart();
    assert.equal(again.hand.progress.state, 'purging');
    assert.ok(again.hand.progress.scanned >= 64, `${again.hand.progress.scanned} scanned`);
  });

  it('is kept for a round', async (t) => {
    const begins: string[] = [];
    const { hand, restart, commit } = await handOver(t, [], {
      hand: { entriesPerSecond: 10_000 },
      scan: (request) => {
        begins.push(textOf(request.at));
        return scanEntries(request);
      },
    });
    await Promise.all(KEYS.map((key) => commit(key, 1000)));
    hand.start();
    await eventually(() => begins.length >= 2);
    await hand.stop();
    const { removed } = hand.progress;
    assert.ok(removed >= 2000 && removed < KEYS.length, `${removed} removed`);
    const before = begins.length;
    const again = await restart({ roundPauseMs: 1_000_000 });
    assert.equal(again.hand.progress.state, 'round');
    again.hand.start();
    await eventually(() => again.store.count === 0);
    assert.equal(begins[before], `e${KEYS[removed - 1]}\0`);
  });

  it('that is damaged is ignored', async (t) => {
    const { store, restart, has } = await handOver(t, ['a/1', 'a/2']);
    await store.purge('a/');
    const [purge] = store.pendingPurges;
    const saved = encodeHandPosition({
      purging: {
        upTo: purge?.version ?? 0,
        at: entryKey('a/2'),
        startedAtMs: 1,
        scanned: 1,
        removed: 1,
      },
      round: undefined,
    });
    saved.writeUInt8(saved.readUInt8(20) ^ 1, 20);
    await store.saveHandPosition(saved);
    const again = await restart();
    again.hand.start();
    await eventually(() => again.store.pendingPurges.length === 0);
    assert.equal(await has('a/1'), false);
  });
});
