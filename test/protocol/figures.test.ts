/** Tables of figures: over the channel and back, and nothing but numbers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventLoopWatch } from '../../src/protocol/event-loop.ts';
import {
  addFigures,
  figuresFromList,
  figuresToList,
  newFigures,
  STORE_COUNTS,
} from '../../src/protocol/figures.ts';
import { memoryFigures } from '../../src/protocol/process-memory.ts';
import { Savings } from '../../src/protocol/savings.ts';
import { statisticsFromList, statisticsToList } from '../../src/protocol/statistics.ts';
import { noStatistics } from '../statistics-fixture.ts';

const NAMES = ['one', 'two'] as const;

describe('figures', () => {
  it('cross the channel in the order of their table', () => {
    const figures = { two: 2, one: 1 };
    assert.deepEqual(figuresToList(NAMES, figures), [1, 2]);
    assert.deepEqual(figuresFromList(NAMES, [1, 2]), figures);
  });

  it('are 0 where what came is no figure', () => {
    for (const bad of [undefined, null, 'x', {}, [-1, Number.NaN], ['1', Infinity], [[], {}]]) {
      assert.deepEqual(figuresFromList(NAMES, bad), { one: 0, two: 0 });
    }
    assert.deepEqual(figuresFromList(NAMES, [7]), { one: 7, two: 0 });
  });

  it('add up name by name', () => {
    const sum = newFigures(STORE_COUNTS);
    addFigures(sum, { ...newFigures(STORE_COUNTS), evicted: 2, copiedBytes: 3 });
    addFigures(sum, { ...newFigures(STORE_COUNTS), evicted: 5 });
    assert.deepEqual([sum.evicted, sum.copiedBytes, sum.handRounds], [7, 3, 0]);
  });
});

describe('statistics', () => {
  it('cross the channel whole', () => {
    const all = noStatistics({
      counters: { hit: 1, miss: 2, expire: 3, delete: 4 },
      savings: Savings.fromList(['a', 1, 20]),
      tally: [5, 6.5, 0],
    });
    all.store.entries = 7;
    all.storeCounts.evicted = 8;
    all.server.workerDeaths = 9;
    assert.deepEqual(statisticsFromList(structuredClone(statisticsToList(all))), all);
  });

  it('are empty where what came is none', () => {
    const empty = { ...noStatistics(), processes: [] };
    for (const bad of [undefined, 'x', {}, [], [1, 2, 3, 4, 5, 6, 7]]) {
      assert.deepEqual(statisticsFromList(bad), empty);
    }
  });
});

describe('a process', () => {
  it('tells its memory, without what files stand behind where the system knows', () => {
    const { rssBytes, rssAnonBytes, heapUsedBytes } = memoryFigures();
    assert.ok(rssBytes > heapUsedBytes && heapUsedBytes > 0);
    assert.ok(rssAnonBytes <= rssBytes);
    if (process.platform === 'linux') assert.ok(rssAnonBytes > 1e6);
    assert.equal(memoryFigures('/nowhere/status').rssAnonBytes, 0);
  });

  it('tells how late its event loop is', async () => {
    const watch = new EventLoopWatch();
    const idle = watch.figures;
    assert.ok(idle.loopDelayMaxMs >= 0 && idle.loopUtilization <= 1);
    await sleep(60);
    const until = performance.now() + 120;
    while (performance.now() < until);
    await sleep(60);
    const { loopDelayMaxMs, loopDelayP50Ms, loopUtilization } = watch.figures;
    watch.stop();
    assert.ok(loopDelayMaxMs >= 80, `${loopDelayMaxMs} ms`);
    assert.ok(loopDelayP50Ms <= loopDelayMaxMs);
    assert.ok(loopUtilization > 0.2 && loopUtilization <= 1, `${loopUtilization}`);
  });
});
