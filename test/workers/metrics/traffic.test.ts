/** What a worker counts, and how the tallies of several are added. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WORKER_COUNTS } from '../../../src/protocol/figures.ts';
import { addTally, isTally } from '../../../src/protocol/statistics.ts';
import { latencyBucket } from '../../../src/workers/metrics/latency.ts';
import { Traffic } from '../../../src/workers/metrics/traffic.ts';

const NONE = { hit: 0 };

function twoRoutes() {
  const traffic = new Traffic();
  const read = traffic.add('/a/{key}', 'GET', [200, 404]);
  const write = traffic.add('/a/{key}', 'PUT', [201]);
  return { traffic, read, write };
}

describe('the traffic of a worker', () => {
  it('has every route and status from the start', () => {
    const { traffic } = twoRoutes();
    const [read, write] = traffic.routesOf(traffic.tallyWith(NONE));
    assert.deepEqual(read?.answers, [
      ['200', 0],
      ['404', 0],
      ['other', 0],
    ]);
    assert.deepEqual(write?.answers, [
      ['201', 0],
      ['other', 0],
    ]);
    assert.equal(traffic.routesOf([]).length, 2);
  });

  it('counts answers by route and status, those that were not declared as other', () => {
    const { traffic, read, write } = twoRoutes();
    traffic.record(read, 200, 70);
    traffic.record(read, 200, 700.4);
    traffic.record(read, 418, 1);
    traffic.record(write, 201, 5);
    traffic.counts.staleHits = 9;
    const [reads, writes] = traffic.routesOf(traffic.tallyWith(NONE));
    assert.deepEqual(reads?.answers, [
      ['200', 2],
      ['404', 0],
      ['other', 1],
    ]);
    assert.equal(reads?.sumUs, 771);
    assert.equal(reads?.latencies[latencyBucket(700)], 1);
    assert.equal(reads?.latencies[0], 1);
    assert.deepEqual(writes?.answers[0], ['201', 1]);
    assert.equal(writes?.sumUs, 5);
    const tally = traffic.tallyWith({ hit: 11 });
    assert.equal(tally[WORKER_COUNTS.indexOf('staleHits')], 9);
    assert.equal(tally[WORKER_COUNTS.indexOf('freshHits')], 2);
  });

  it('stays countable whatever a latency is: a tally that is none would end the channel', () => {
    const { traffic, read } = twoRoutes();
    for (const us of [Number.NaN, -1, Number.NEGATIVE_INFINITY]) traffic.record(read, 200, us);
    traffic.counts.staleHits = 5;
    assert.ok(isTally(traffic.tallyWith(NONE)));
    assert.equal(traffic.routesOf(traffic.tallyWith(NONE))[0]?.answers[0]?.[1], 3);
  });

  it('finds a route that it has', () => {
    const { traffic, read } = twoRoutes();
    assert.equal(traffic.add('/a/{key}', 'GET', [500]), read);
    assert.equal(traffic.blocks.length, 2);
  });

  it('adds up over workers', () => {
    const [one, other] = [twoRoutes(), twoRoutes()];
    one.traffic.record(one.read, 200, 10);
    other.traffic.record(other.read, 200, 20);
    other.traffic.record(other.write, 201, 30);
    const sum: number[] = [];
    addTally(sum, one.traffic.tallyWith(NONE));
    addTally(sum, other.traffic.tallyWith(NONE));
    addTally(sum, []);
    const [reads, writes] = one.traffic.routesOf(sum);
    assert.deepEqual([reads?.answers[0]?.[1], reads?.sumUs], [2, 30]);
    assert.deepEqual([writes?.answers[0]?.[1], writes?.sumUs], [1, 30]);
  });
});

describe('a tally from the channel', () => {
  it('is a list of counts, of a length that routes can have', () => {
    assert.ok(isTally([]) && isTally([0, 1, 2.5]));
    for (const bad of [undefined, {}, 'abc', [-1], [Number.NaN], ['1'], [null], [Infinity]]) {
      assert.ok(!isTally(bad), JSON.stringify(bad));
    }
    assert.ok(!isTally(Array.from({ length: 65_537 }, () => 0)));
  });
});
