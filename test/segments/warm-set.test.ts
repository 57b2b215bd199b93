/** What counts as warm, and for how long. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WarmSet } from '../../src/segments/warm-set.ts';

const GENERATION_MS = 30_000;
const GENERATION_SIZE_MAX = 50_000;

describe('a warm set', () => {
  it('knows an item for at least one generation and at most two', () => {
    fc.assert(
      fc.property(
        fc.nat(GENERATION_MS - 1),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
        (addedAtMs, pauses) => {
          let nowMs = 0;
          const warm = new WarmSet<string>(() => nowMs);
          nowMs = addedAtMs;
          warm.add('item');
          for (const pause of pauses) {
            nowMs += pause;
            const isWarm = warm.has('item');
            const age = nowMs - addedAtMs;
            if (age < GENERATION_MS) assert.ok(isWarm, `after ${age} ms`);
            if (age >= 3 * GENERATION_MS) assert.ok(!isWarm, `after ${age} ms`);
            assert.equal(warm.has('another'), false);
          }
        },
      ),
    );
  });

  it('forgets everything over a pause of two generations', () => {
    let nowMs = 0;
    const warm = new WarmSet<number>(() => nowMs);
    warm.add(1);
    nowMs = GENERATION_MS;
    assert.ok(warm.has(1));
    warm.add(2);
    nowMs += GENERATION_MS;
    assert.ok(warm.has(2));
    assert.ok(!warm.has(1));
    warm.add(3);
    nowMs += 2 * GENERATION_MS;
    assert.ok(!warm.has(3));
  });

  it('knows an item longer that is added again', () => {
    let nowMs = 0;
    const warm = new WarmSet<string>(() => nowMs);
    for (; nowMs < 10 * GENERATION_MS; nowMs += 20_000) {
      warm.add('item');
      assert.ok(warm.has('item'));
    }
  });

  it('keeps at most two generations of 50,000 items', () => {
    const warm = new WarmSet<number>(() => 0);
    for (let item = 0; item < 3 * GENERATION_SIZE_MAX; item++) warm.add(item);
    assert.ok(!warm.has(0));
    assert.ok(!warm.has(GENERATION_SIZE_MAX - 1));
    assert.ok(warm.has(3 * GENERATION_SIZE_MAX - 1));
    let known = 0;
    for (let item = 0; item < 3 * GENERATION_SIZE_MAX; item++) if (warm.has(item)) known += 1;
    assert.ok(known <= 2 * GENERATION_SIZE_MAX, `${known} items`);
  });
});
