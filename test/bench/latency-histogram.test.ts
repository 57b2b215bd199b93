/** The histogram of the benchmark: percentiles near the exact ones, medians of rounds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LatencyHistogram } from '../../bench/latency-histogram.ts';
import { median, mediansByPlace } from '../../bench/median.ts';

describe('a latency histogram', () => {
  it('gives percentiles at or above the exact one, by at most 1.6%', () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 60_000_000 }), { minLength: 1 });
    fc.assert(
      fc.property(latencies, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, share) => {
        const histogram = new LatencyHistogram();
        for (const us of all) histogram.record(us);
        const sorted = [...all].sort((one, other) => one - other);
        const exact = sorted[Math.max(Math.ceil(share * all.length), 1) - 1] ?? 0;
        const found = histogram.percentileUs(share);
        assert.ok(found >= exact && found <= exact * 1.016 + 1, `${found} for ${exact}`);
      }),
    );
  });

  it('keeps the largest exactly and counts all', () => {
    const histogram = new LatencyHistogram();
    for (const us of [5.9, 123_457, 0]) histogram.record(us);
    assert.equal(histogram.maxUs, 123_457);
    assert.equal(histogram.percentileUs(1), 123_457);
    assert.equal(histogram.percentileUs(0.5), 5);
    assert.equal(histogram.total, 3);
  });

  it('says 0 for none', () => {
    assert.equal(new LatencyHistogram().percentileUs(0.99), 0);
  });
});

describe('a median', () => {
  it('is the middle one, or lies between the two in the middle', () => {
    assert.equal(median([9, 1, 4]), 4);
    assert.equal(median([9, 1, 4, 5]), 4.5);
    assert.throws(() => median([]), RangeError);
  });

  it('is taken place by place over lists', () => {
    const medians = mediansByPlace([
      [1, 30],
      [2, 10],
      [9, 20],
    ]);
    assert.deepEqual(medians, [2, 20]);
  });
});
