/** Each policy of the simulation on traces that can be followed by hand, and the whole with a seed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fifo, Lru, Sieve } from '../../../bench/eviction/lists.ts';
import { simulate } from '../../../bench/eviction/policies.ts';
import { measure, type Policy } from '../../../bench/eviction/policy.ts';
import { Segmented } from '../../../bench/eviction/segmented.ts';
import { footprintOf, makeTrace, TRACE_NAMES, type Trace } from '../../../bench/eviction/traces.ts';

/** Entries A to Z of one byte each. */
function traceOf(letters: string): Trace {
  const requests = Int32Array.from(letters, (letter) => letter.charCodeAt(0) - 65);
  return {
    name: letters,
    requests,
    isWrite: new Uint8Array(requests.length),
    bytes: new Int32Array(26).fill(1),
    costMs: new Float64Array(26),
  };
}

/** For each request: `+` for a hit, `-` for a miss, which stores the entry. */
function hitsOf(policy: Policy, letters: string): string {
  return [...traceOf(letters).requests]
    .map((entry) => {
      if (policy.read(entry)) return '+';
      policy.write(entry);
      return '-';
    })
    .join('');
}

const ONES = new Int32Array(26).fill(1);

describe('of three entries', () => {
  it('FIFO evicts what was stored first, though it was read', () => {
    assert.equal(hitsOf(new Fifo(3, ONES), 'ABCADABC'), '---+----');
  });

  it('LRU evicts what was not read for longest', () => {
    assert.equal(hitsOf(new Lru(3, ONES), 'ABCADABC'), '---+-+--');
  });

  it('SIEVE passes over what was read and goes on where it stopped', () => {
    // D evicts B. E evicts C, since the hand goes on from there. The hand has left A its place.
    assert.equal(hitsOf(new Sieve(3, ONES), 'ABCADAEABC'), '---+-+-+--');
    // A and B are passed and lose their marks, C goes. It was the newest, so A is the next to go.
    assert.equal(hitsOf(new Sieve(3, ONES), 'ABCABDEBA'), '---++--+-');
  });

  it('SIEVE evicts in order what was all read, once', () => {
    assert.equal(hitsOf(new Sieve(3, ONES), 'ABCABCDA'), '---+++--');
  });
});

describe('a list', () => {
  it('makes room in bytes, and keeps what is larger than itself out', () => {
    const bytes = Int32Array.from([2, 2, 3, 9]);
    for (const policy of [new Fifo(4, bytes), new Lru(4, bytes), new Sieve(4, bytes)]) {
      for (const entry of [0, 1, 2]) policy.write(entry);
      policy.write(3);
      assert.deepEqual(
        [0, 1, 2, 3].map((entry) => policy.read(entry)),
        [false, false, true, false],
      );
      assert.equal(policy.bytesWritten, 16);
    }
  });

  it('takes an overwrite in place, which is a use for LRU alone', () => {
    const there = (policy: Policy): string => {
      for (const entry of [0, 1, 2, 0, 3]) policy.write(entry);
      return [0, 1, 2, 3].map((entry) => (policy.read(entry) ? '+' : '-')).join('');
    };
    assert.equal(there(new Fifo(3, ONES)), '-+++');
    assert.equal(there(new Lru(3, ONES)), '+-++');
    assert.equal(there(new Sieve(3, ONES)), '-+++');
  });
});

describe('segments', () => {
  const SHAPE = { capacityBytes: 12, segmentBytes: 2, writers: 1, garbageShare: 0.5 };
  const segmented = (isSweep: boolean): Segmented =>
    new Segmented({ ...SHAPE, isSweep, knowsCosts: true }, traceOf('A'));

  it('keep what was read, in half of a segment, and evict the rest of the oldest', () => {
    // Of twelve bytes, two are for the open segment and two for copies: eight are sealed.
    for (const isSweep of [true, false]) {
      const policy = segmented(isSweep);
      hitsOf(policy, 'ABCDEFGHAIJK');
      assert.equal(hitsOf(policy, 'A'), '+', 'it was read');
      assert.equal(policy.bytesCopied, 1);
      assert.equal(hitsOf(policy, 'C'), '+', 'its segment is not the oldest');
      assert.equal(hitsOf(policy, 'B'), '-', 'it was not read');
    }
  });

  it('that are mostly garbage are rewritten before anything is evicted', () => {
    const policy = segmented(true);
    hitsOf(policy, 'ABCDEFGHI');
    // D is stored anew, so the segment of C and D is half garbage.
    policy.write(3);
    hitsOf(policy, 'J');
    assert.equal(policy.bytesCopied, 1);
    assert.equal(hitsOf(policy, 'ABCDEFGH'), '++++++++');
  });

  it('swept over leave what was read in its place, so that an unread new entry goes first', () => {
    // After A was spared, the hand is past it: B to H go before A is looked at again.
    const swept = segmented(true);
    hitsOf(swept, 'ABCDEFGHA');
    hitsOf(swept, 'IJKLMNOP');
    assert.equal(hitsOf(swept, 'A'), '+');
  });
});

describe('the simulation', () => {
  const SIZE = { seed: 7, requests: 20_000, entries: 2000 };

  it('is the same for the same seed, and another for another', () => {
    const some = [...TRACE_NAMES.slice(1, 2), 'costs'];
    const results = [...simulate(some, [0.1], SIZE)];
    assert.equal(results.length, 5 + 6);
    assert.deepEqual([...simulate(some, [0.1], SIZE)], results);
    assert.notDeepEqual([...simulate(some, [0.1], { ...SIZE, seed: 8 })], results);
    for (const { hitRatio, byteHitRatio, copiedRatio } of results) {
      assert.ok(hitRatio > 0 && hitRatio < 1 && byteHitRatio > 0 && byteHitRatio < 1);
      assert.ok(copiedRatio >= 0 && copiedRatio < 1);
    }
  });

  it('has traces that are what they are called', () => {
    for (const name of TRACE_NAMES) {
      const trace = makeTrace(name, SIZE);
      const isPopular = (entry: number): boolean => entry < SIZE.entries;
      const popular = trace.requests.filter(isPopular).length / SIZE.requests;
      const isOnce = name.includes('one-hit');
      assert.ok(isOnce ? Math.abs(popular - 0.7) < 0.02 : popular === 1, `${name}: ${popular}`);
      const writes = trace.isWrite.filter((isWrite) => isWrite === 1).length / SIZE.requests;
      assert.ok(Math.abs(writes - (name === 'overwrites' ? 0.2 : 0)) < 0.02, `${name}: ${writes}`);
      assert.equal(
        trace.costMs.every((cost) => cost > 0),
        name.startsWith('costs'),
      );
      assert.ok(footprintOf(trace) > 0);
    }
    assert.throws(() => makeTrace('nothing', SIZE), /no trace nothing/);
  });

  it('counts reads after the warm-up, in requests, bytes and cost', () => {
    const trace: Trace = {
      name: '',
      requests: Int32Array.from([0, 0, 1, 1, 0, 2]),
      isWrite: Uint8Array.from([0, 0, 0, 0, 1, 0]),
      bytes: Int32Array.from([1, 10, 100]),
      costMs: Float64Array.from([1, 2, 4]),
    };
    const figures = measure(new Lru(1000, trace.bytes), trace, 1 / 6);
    assert.deepEqual(figures, {
      hitRatio: 2 / 4,
      byteHitRatio: 11 / 121,
      costHitRatio: 3 / 9,
      copiedRatio: 0,
    });
  });
});
