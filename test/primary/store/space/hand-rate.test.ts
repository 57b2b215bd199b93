/** How fast the hand goes, whom that holds up, and what it tells of itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import scanEntries from '../../../../src/primary/jobs/scan-entries.ts';
import type { Clock } from '../../../../src/primary/store/space/rate-limit.ts';
import { eventually } from '../../../eventually.ts';
import { handOver, newLog, numbered, TestClock } from './hand-setup.ts';

describe('the rate of the hand', () => {
  it('bounds a pass and a round', async (t) => {
    const clock = new TestClock();
    const spent: { isRound: boolean; scanned: number; atMs: number }[] = [];
    const { store, hand } = await handOver(t, numbered('a/', 3000), {
      hand: { entriesPerSecond: 1000, clock },
      scan: async (request) => {
        const result = await scanEntries(request);
        const isRound = request.purges.length === 0;
        spent.push({ isRound, scanned: result.scanned, atMs: clock.nowMs });
        return result;
      },
    });
    const purge = await store.purge('a/00');
    hand.start();
    await hand.workOff(purge);
    await eventually(() => spent.filter(({ isRound }) => isRound).length > 20);
    await hand.stop();
    for (const kind of [true, false]) {
      const chunks = spent.filter(({ isRound }) => isRound === kind).slice(0, 11);
      const [first, last] = [chunks.at(0), chunks.at(-1)];
      const entries = chunks.slice(0, -1).reduce((sum, { scanned }) => sum + scanned, 0);
      const tookMs = (last?.atMs ?? 0) - (first?.atMs ?? 0);
      assert.ok(entries >= 900, `${entries} entries`);
      assert.ok(entries <= tookMs + 250, `${entries} entries in ${tookMs} ms`);
    }
  });

  it('says from time to time how far a long pass is', async (t) => {
    const clock = new TestClock();
    const { log, lines } = newLog();
    const { store, hand } = await handOver(t, numbered('a/', 3000), {
      now: () => clock.nowMs,
      hand: { entriesPerSecond: 100, clock, log, roundPauseMs: 3_600_000 },
    });
    const purge = await store.purge('a/');
    hand.start();
    await hand.workOff(purge);
    await hand.stop();
    const told = lines.filter(({ msg }) => msg === 'working purges off');
    assert.ok(told.length === 2 || told.length === 3, `${told.length} lines over 30 s`);
    const scanned = told.map((line) => Number(line['scanned']));
    assert.ok(scanned.every((now, nth) => now > (scanned[nth - 1] ?? 0) && now < 3000));
    assert.ok(told.every(({ percent }) => Number(percent) >= 0 && Number(percent) <= 100));
  });

  it('holds no prefix delete up for what a round has done', async (t) => {
    const sleeping: number[] = [];
    const clock: Clock = {
      elapsedMs: () => 0,
      sleep: (ms, signal) => {
        sleeping.push(ms);
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    const { store, hand } = await handOver(t, [...numbered('a/', 3000), 'b'], {
      hand: { entriesPerSecond: 1000, clock, roundPauseMs: 0 },
    });
    hand.start();
    await eventually(() => hand.progress.state === 'round' && sleeping.length > 0);
    await hand.workOff(await store.purge('b'));
    assert.equal(store.pendingPurges.length, 0);
    assert.equal(hand.progress.state, 'round', 'which it goes on with afterwards');
  });

  it('leaves a round its share under purges that never end', async (t) => {
    let isOver = false;
    const { store, hand, commit, has } = await handOver(t, [], {
      hand: { roundPauseMs: 0 },
    });
    await commit('short', 1000);
    hand.start();
    const purging = (async () => {
      for (let nth = 0; !isOver && nth < 10_000; nth++) {
        await store.purge(`a/${nth}`);
        await store.purge(`b/${nth}`);
      }
    })();
    await eventually(async () => !(await has('short')));
    isOver = true;
    await purging;
  });
});

describe('the progress of the hand', () => {
  it('tells what is under way', async (t) => {
    let letGo = (): void => undefined;
    const shares: number[] = [];
    const { store, hand } = await handOver(t, [], {
      hand: { roundPauseMs: 1_000_000 },
      now: () => 5000,
      scan: async () => {
        await new Promise<void>((resolve) => {
          letGo = resolve;
        });
        const share = [0, 0.25, 0.75][shares.length] ?? 1;
        shares.push(share);
        const next = share < 0.75 ? Buffer.from(`ea${shares.length}`) : undefined;
        return { scanned: 10, dead: [{ key: 'a', version: 1 }], stale: [], next, share };
      },
    });
    const idle = { state: 'idle', purges: 0, scanned: 0, removed: 0, share: 0, startedAtMs: 0 };
    assert.deepEqual(hand.progress, idle);
    await store.purge('a');
    const purge = await store.purge('a1');
    hand.start();
    const done = hand.workOff(purge);
    for (const scanned of [0, 10, 20]) {
      await eventually(() => hand.progress.scanned === scanned && hand.progress.purges === 2);
      const share = scanned === 20 ? 0.25 : 0;
      const figures = { purges: 2, scanned, removed: 0, share, startedAtMs: 5000 };
      assert.deepEqual(hand.progress, { state: 'purging', ...figures });
      await eventually(() => shares.length === scanned / 10);
      letGo();
    }
    await done;
    await eventually(() => hand.progress.state === 'idle');
    assert.deepEqual(hand.progress, idle);
  });

  it('ends with a line in the log, for everybody after more than 100,000 removals', async (t) => {
    const { log, lines } = newLog();
    const { store, hand } = await handOver(t, ['a/1', 'a/2', 'b'], {
      hand: { log, roundPauseMs: 1_000_000 },
    });
    hand.start();
    await hand.workOff(await store.purge('a/'));
    assert.deepEqual(
      lines.map(({ level, msg, purges, scanned, removed }) => {
        return { level, msg, purges, scanned, removed };
      }),
      [{ level: 20, msg: 'purges worked off', purges: 1, scanned: 2, removed: 2 }],
    );
    store.removeSeen = async (seen) => seen.length * 100_001;
    const purge = await store.purge('b');
    await hand.workOff(purge);
    assert.deepEqual([lines.at(-1)?.['level'], lines.at(-1)?.['removed']], [30, 100_001]);
  });
});
