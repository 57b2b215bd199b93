/** The slope of a figure over time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { slopePerMinute } from './slope.ts';

describe('the slope of samples', () => {
  it('is that of the line they lie on, and as good as that where they lie around it', () => {
    const numbers = fc.integer({ min: -1000, max: 1000 });
    fc.assert(
      fc.property(numbers, numbers, fc.integer({ min: 10, max: 200 }), (start, slope, count) => {
        const samples = Array.from({ length: count }, (_, nth) => {
          const noise = nth % 2 === 0 ? 0.01 : -0.01;
          return { atMs: nth * 5000, value: start + (slope * nth * 5000) / 60_000 + noise };
        });
        assert.ok(Math.abs(slopePerMinute(samples) - slope) < 0.1);
      }),
    );
  });

  it('is nothing that one sample has', () => {
    assert.throws(() => slopePerMinute([{ atMs: 0, value: 1 }]), RangeError);
  });
});
