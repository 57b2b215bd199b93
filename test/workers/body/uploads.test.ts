import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Reception, Uploads } from '../../../src/workers/body/uploads.ts';

const LIMITS = {
  bodyStallMs: 30_000,
  bodyWindowMs: 60_000,
  bodyWindowBytesMin: 61_440,
  bodyCheckMs: 1_000_000,
  uploadBytesMax: 100,
};

interface Fake extends Reception {
  failed: string | undefined;
}

function fake(waitingSinceMs: number | undefined = 0): Fake {
  const reception: Fake = {
    waitingSinceMs,
    windowStartMs: 0,
    windowBytes: 0,
    failed: undefined,
    fail: (error) => {
      reception.failed = error.code;
    },
  };
  return reception;
}

test('a body that brings nothing for 30 seconds is cut', () => {
  let nowMs = 0;
  const uploads = new Uploads(LIMITS, () => nowMs);
  const reception = fake();
  uploads.add(reception);
  nowMs = 29_999;
  uploads.check();
  assert.equal(reception.failed, undefined);
  nowMs = 30_000;
  uploads.check();
  assert.equal(reception.failed, 'REQUEST_TIMEOUT');
  uploads.remove(reception);
});

test('a body that trickles is cut after a minute, a steady slow one never', () => {
  for (const [bytesPerSecond, failed] of [
    [1023, 'REQUEST_TIMEOUT'],
    [1024, undefined],
  ] as const) {
    let nowMs = 0;
    const uploads = new Uploads(LIMITS, () => nowMs);
    const reception = fake();
    uploads.add(reception);
    for (let second = 1; second <= 600; second += 1) {
      nowMs = second * 1000;
      reception.windowBytes += bytesPerSecond;
      reception.waitingSinceMs = nowMs;
      if (second < 60) assert.equal(reception.failed, undefined);
      uploads.check();
    }
    assert.equal(reception.failed, failed, `${bytesPerSecond} bytes per second`);
    uploads.remove(reception);
  }
});

test('time in which the server itself is slow does not count against the client', () => {
  const uploads = new Uploads(LIMITS, () => 1e9);
  const reception = fake();
  reception.waitingSinceMs = undefined;
  uploads.add(reception);
  uploads.check();
  assert.equal(reception.failed, undefined);
  uploads.remove(reception);
});

test('beyond the budget bodies wait in their order, except for the oldest', async () => {
  const uploads = new Uploads(LIMITS);
  const [first, second, third] = [fake(), fake(), fake()];
  for (const reception of [first, second, third]) uploads.add(reception);
  uploads.hold(99);
  assert.equal(uploads.room(third), undefined);
  uploads.hold(1);
  assert.equal(uploads.room(first), undefined);
  const resumed: string[] = [];
  const waits = [
    uploads.room(second)?.then(() => resumed.push('second')),
    uploads.room(third)?.then(() => resumed.push('third')),
  ];
  await new Promise(setImmediate);
  assert.deepEqual(resumed, []);
  uploads.remove(first);
  await waits[0];
  assert.deepEqual(resumed, ['second']);
  uploads.release(50);
  await waits[1];
  assert.deepEqual(resumed, ['second', 'third']);
  uploads.remove(second);
  uploads.remove(third);
});

test('whatever the order of arrivals, no bodies wait for each other for ever', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 60 }))), (arrivals) => {
      const uploads = new Uploads(LIMITS);
      const receptions = Array.from({ length: 5 }, () => fake());
      for (const reception of receptions) uploads.add(reception);
      for (const [index, bytes] of arrivals) {
        uploads.hold(bytes);
        const reception = receptions[index];
        if (reception !== undefined) void uploads.room(reception);
      }
      assert.ok(receptions.some((reception) => uploads.room(reception) === undefined));
      for (const reception of receptions) uploads.remove(reception);
    }),
  );
});
