/** The buckets of latencies: no gaps, no overlaps, bounds that hold what is at them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  distributionOf,
  LATENCY_BUCKETS,
  latencyBoundUs,
  latencyBucket,
  percentileUs,
} from '../../../src/workers/metrics/latency.ts';

const counted = (latencies: readonly number[]): number[] => {
  const counts = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const us of latencies) {
    const bucket = latencyBucket(us);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
};

describe('a bucket of latencies', () => {
  it('holds what is above the bound before it and up to its own', () => {
    for (let bucket = 1; bucket < LATENCY_BUCKETS - 1; bucket++) {
      const bound = latencyBoundUs(bucket);
      assert.ok(bound > latencyBoundUs(bucket - 1));
      assert.equal(latencyBucket(bound), bucket);
      assert.equal(latencyBucket(bound + 0.001), bucket + 1);
    }
    assert.equal(latencyBucket(latencyBoundUs(0)), 0);
    assert.equal(latencyBoundUs(LATENCY_BUCKETS - 1), Number.POSITIVE_INFINITY);
  });

  it('takes any number at all', () => {
    for (const us of [0, -5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      assert.equal(latencyBucket(us), 0);
    }
    for (const us of [1e9, 2 ** 40, Number.POSITIVE_INFINITY]) {
      assert.equal(latencyBucket(us), LATENCY_BUCKETS - 1);
    }
  });

  it('is off by a quarter at most', () => {
    fc.assert(
      fc.property(fc.double({ min: 64, max: 2 ** 26, noNaN: true }), (us) => {
        const bound = latencyBoundUs(latencyBucket(us));
        assert.ok(bound >= us && bound <= Math.max(64, us * 1.25 + 1), `${us}: ${bound}`);
      }),
    );
  });
});

describe('a distribution', () => {
  it('counts at each power of two what is at or below it', () => {
    const latencies = [10, 64, 65, 128, 129, 1000, 1024, 1025, 1e9];
    const { cumulative, count } = distributionOf(counted(latencies), 7);
    assert.equal(count, latencies.length);
    for (const { boundUs, count: below } of cumulative) {
      assert.equal(below, latencies.filter((us) => us <= boundUs).length, String(boundUs));
    }
    assert.deepEqual(
      cumulative.slice(0, 3).map(({ boundUs }) => boundUs),
      [64, 128, 256],
    );
    assert.equal(cumulative.at(-1)?.boundUs, Number.POSITIVE_INFINITY);
  });

  it('agrees with a count by hand, whatever is counted', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 28 }), { maxLength: 50 }), (all) => {
        const { cumulative } = distributionOf(counted(all), 0);
        for (const { boundUs, count } of cumulative) {
          assert.equal(count, all.filter((us) => us <= boundUs).length);
        }
      }),
    );
  });

  it('has percentiles, and none where nothing was counted', () => {
    const counts = counted([100, 100, 100, 1000]);
    assert.equal(percentileUs(counts, 0.5), latencyBoundUs(latencyBucket(100)));
    assert.equal(percentileUs(counts, 0.99), latencyBoundUs(latencyBucket(1000)));
    assert.equal(percentileUs(counted([]), 0.5), 0);
    assert.equal(percentileUs(counted([1e12]), 0.5), 2 ** 26);
  });
});
