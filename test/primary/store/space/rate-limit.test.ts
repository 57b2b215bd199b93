/** The rate limit of background work, under a clock that the test moves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RateLimit, SYSTEM_CLOCK } from '../../../../src/primary/store/space/rate-limit.ts';

describe('a rate limit', () => {
  it('lets no more through than its rate, whatever is done at once and however long it takes', () => {
    const step = fc.record({ units: fc.nat(5000), tookMs: fc.nat(300) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 1_000_000 }),
        fc.array(step, { minLength: 1, maxLength: 50 }),
        (perSecond, steps) => {
          let nowMs = 1000;
          const limit = new RateLimit(perSecond, { ...SYSTEM_CLOCK, elapsedMs: () => nowMs });
          let done = 0;
          for (const { units, tookMs } of steps) {
            nowMs += limit.waitMs;
            const bound = ((nowMs - 1000 + 250) / 1000) * perSecond;
            assert.ok(done <= bound + 1e-6 * perSecond, `${done} of ${bound}`);
            nowMs += tookMs;
            limit.spend(units);
            done += units;
          }
        },
      ),
    );
  });

  it('does not add the time that the work takes to the time that it waits', () => {
    let nowMs = 0;
    const limit = new RateLimit(1000, { ...SYSTEM_CLOCK, elapsedMs: () => nowMs });
    limit.spend(350);
    assert.equal(limit.waitMs, 100);
    nowMs += 160;
    assert.equal(limit.waitMs, 0);
    limit.spend(100);
    assert.equal(limit.waitMs, 40);
  });

  it('gives no credit for a long pause', () => {
    let nowMs = 0;
    const limit = new RateLimit(1000, { ...SYSTEM_CLOCK, elapsedMs: () => nowMs });
    limit.spend(1);
    nowMs = 3_600_000;
    limit.spend(1250);
    assert.equal(limit.waitMs, 1000);
  });

  it('waits after what was done at once, unless it is told to go on', async () => {
    const slept: number[] = [];
    const limit = new RateLimit(1000, {
      elapsedMs: () => 0,
      sleep: async (ms) => void slept.push(ms),
    });
    await limit.take(250);
    await limit.take(1);
    assert.deepEqual(slept, [], 'a wait that is too short for a timer is saved up');
    await limit.take(99);
    assert.deepEqual(slept, [100]);
    const hurry = new AbortController();
    const waiting = new RateLimit(1).take(1000, hurry.signal);
    hurry.abort();
    await waiting;
  });
});

describe('the clock of the system', () => {
  it('wakes at once whom it lets sleep, when told so, and never fails', async () => {
    const waking = new AbortController();
    const before = SYSTEM_CLOCK.elapsedMs();
    const sleeping = SYSTEM_CLOCK.sleep(60_000, waking.signal);
    waking.abort();
    await sleeping;
    await SYSTEM_CLOCK.sleep(60_000, waking.signal);
    await SYSTEM_CLOCK.sleep(1, new AbortController().signal);
    const tookMs = SYSTEM_CLOCK.elapsedMs() - before;
    assert.ok(tookMs > 0 && tookMs < 30_000);
  });
});
