/** What is promised of the speed, and how a run is judged by it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCENARIOS } from '../../bench/peers/scenarios.ts';
import type { Measured } from '../../bench/results.ts';
import { isKept, isKeptSoFar, judge, TARGETS, type Target } from '../../bench/targets.ts';
import { SERVERS } from '../../bench/workloads.ts';
import { serverRounds, someSeries } from './some-rounds.ts';

const AT_MOST: Target = {
  workload: 'read-hot',
  bodyBytes: 1024,
  measure: 'cpuUsPerRequest',
  of: 'bigcache',
  against: 'bare',
  sense: 'at most',
  limit: 1.5,
};

function withCpu(ours: readonly number[], bare: readonly number[]): Measured {
  const rounds = (server: string, all: readonly number[]) =>
    serverRounds(server, ...all.map((cpuUsPerRequest) => ({ cpuUsPerRequest })));
  const series = someSeries('read-hot', 1024, rounds('bigcache', ours), rounds('bare', bare));
  return { series: [series], stalls: [] };
}

function valueIn(target: Target, measured: Measured): number | undefined {
  return judge([target], measured)[0]?.value;
}

describe('a promise of the speed', () => {
  it('is judged by the medians of both servers', () => {
    assert.equal(valueIn(AT_MOST, withCpu([30, 10, 90], [20, 20, 1])), 1.5);
  });

  it('counts as it is where there is no other server', () => {
    assert.equal(valueIn({ ...AT_MOST, against: undefined }, withCpu([30], [20])), 30);
  });

  it('is not judged by what was not measured', () => {
    const measured = withCpu([30], [20]);
    assert.equal(valueIn({ ...AT_MOST, bodyBytes: 1 }, measured), undefined);
    assert.equal(valueIn({ ...AT_MOST, against: 'nginx' }, measured), undefined);
    assert.equal(valueIn(AT_MOST, withCpu([], [20])), undefined);
    assert.equal(isKept({ target: AT_MOST, value: undefined }), undefined);
  });

  it('is kept at its limit, and beyond it by as much as is tolerated', () => {
    const atLeast: Target = { ...AT_MOST, sense: 'at least', limit: 13 };
    assert.equal(isKept({ target: AT_MOST, value: 1.5 }), true);
    assert.equal(isKept({ target: AT_MOST, value: 1.51 }), false);
    assert.equal(isKeptSoFar({ target: AT_MOST, value: 1.9 }, 1.3), true);
    assert.equal(isKeptSoFar({ target: AT_MOST, value: 2 }, 1.3), false);
    assert.equal(isKept({ target: atLeast, value: 13 }), true);
    assert.equal(isKept({ target: atLeast, value: 12.9 }), false);
    assert.equal(isKeptSoFar({ target: atLeast, value: 10.1 }, 1.3), true);
    assert.equal(isKeptSoFar({ target: atLeast, value: 9.9 }, 1.3), false);
    const notYet = { ...AT_MOST, soFar: 2 };
    assert.equal(isKept({ target: notYet, value: 1.9 }), false);
    assert.equal(isKeptSoFar({ target: notYet, value: 2.6 }, 1.3), true);
    assert.equal(isKeptSoFar({ target: notYet, value: 2.61 }, 1.3), false);
  });

  it('of a volume is judged by its own run', () => {
    const stall = {
      server: SERVERS.uncompressed,
      bodyBytes: 32 * 1024,
      requests: 1,
      seconds: 1,
      writtenPerByte: 1.01,
      longestStallMs: 250,
      slowestRequestMs: 300,
      loadPauseMs: 20,
    };
    const missed = judge(TARGETS, { series: [], stalls: [stall] })
      .filter(({ value }) => value !== undefined)
      .map((verdict) => [verdict.target.measure, isKept(verdict)]);
    assert.deepEqual(missed, [
      ['writtenPerByte', true],
      ['stallMs', false],
    ]);
  });

  it('speaks of what a scenario measures', () => {
    for (const { workload, bodyBytes, of, against } of TARGETS) {
      const scenario = SCENARIOS.find(
        (one) => one.name === workload && one.bodyBytes === (bodyBytes ?? one.bodyBytes),
      );
      assert.ok(scenario !== undefined, `${workload} of ${bodyBytes}`);
      const names = scenario.peers.map(({ name }) => name);
      // Those of one server at two times are not peers.
      const present = [...names, SERVERS.idle, SERVERS.writing];
      for (const name of [of, against ?? of]) assert.ok(present.includes(name), `${name}`);
    }
  });
});
