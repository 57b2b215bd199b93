import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { type Reception, Uploads } from '../../../src/workers/body/uploads.ts';

const LIMITS = {
  bodyStallMs: 30_000,
  bodyWindowMs: 60_000,
  bodyWindowBytesMin: 61_440,
  bodyCheckMs: 1_000_000,
  uploadBytesMax: 100,
  streamsMax: 2,
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

const nextTurn = () => new Promise(setImmediate);

/** Waits for room in the name of `who`, and notes down how that ended. */
function waitFor(uploads: Uploads, reception: Reception, who: string, ended: string[]): void {
  const room = uploads.room(reception);
  assert.ok(room !== undefined, `${who} has to wait`);
  room.then(
    () => ended.push(who),
    (error: BigCacheError) => ended.push(`${who}: ${error.code}`),
  );
}

test('beyond the budget bodies wait, except for the oldest that is not whole', async () => {
  const uploads = new Uploads(LIMITS);
  const [first, second, third] = [fake(), fake(), fake()];
  uploads.hold(first, 33);
  uploads.hold(second, 33);
  uploads.hold(third, 33);
  assert.equal(uploads.room(third), undefined);
  uploads.hold(third, 1);
  assert.equal(uploads.room(first), undefined);
  const ended: string[] = [];
  waitFor(uploads, second, 'second', ended);
  waitFor(uploads, third, 'third', ended);
  await nextTurn();
  assert.deepEqual(ended, []);
  uploads.remove(first);
  await nextTurn();
  assert.deepEqual(ended, ['second']);
  uploads.release(second, 33);
  await nextTurn();
  assert.deepEqual(ended, ['second', 'third']);
  uploads.remove(third);
});

test('the oldest goes on although a younger one began to wait before it', async () => {
  const uploads = new Uploads(LIMITS);
  const [first, second, third] = [fake(), fake(), fake()];
  for (const reception of [first, second, third]) uploads.hold(reception, 40);
  const ended: string[] = [];
  waitFor(uploads, third, 'third', ended);
  waitFor(uploads, second, 'second', ended);
  uploads.remove(first);
  await nextTurn();
  assert.deepEqual(ended, ['second']);
  uploads.remove(second);
  await nextTurn();
  assert.deepEqual(ended, ['second', 'third']);
  uploads.remove(third);
});

test('a body that holds nothing of the budget keeps nobody waiting', () => {
  const uploads = new Uploads(LIMITS);
  const [streamed, collected] = [fake(), fake()];
  uploads.add(streamed);
  uploads.hold(collected, 100);
  assert.equal(uploads.room(collected), undefined);
  uploads.remove(streamed);
  uploads.remove(collected);
});

test('bodies that are whole and fill the budget keep even the oldest waiting', async () => {
  const uploads = new Uploads(LIMITS);
  const [answered, next] = [fake(), fake()];
  uploads.hold(answered, 100);
  uploads.remove(answered);
  uploads.hold(next, 10);
  const ended: string[] = [];
  waitFor(uploads, next, 'next', ended);
  await nextTurn();
  assert.deepEqual(ended, []);
  uploads.release(answered, 100);
  await nextTurn();
  assert.deepEqual(ended, ['next']);
  uploads.remove(next);
});

test('a stream whose start counts comes after every body that is collected', async () => {
  const uploads = new Uploads(LIMITS);
  const [stream, collected] = [fake(), fake()];
  void uploads.streamTurn(stream);
  uploads.hold(stream, 50);
  uploads.hold(collected, 50);
  assert.equal(uploads.room(collected), undefined);
  const ended: string[] = [];
  waitFor(uploads, stream, 'stream', ended);
  uploads.remove(collected);
  await nextTurn();
  assert.deepEqual(ended, ['stream']);
  assert.equal(uploads.room(stream), undefined);
  uploads.remove(stream);
});

test('who waits for room is refused when it fails, and after the time of a stall', async () => {
  let nowMs = 0;
  const uploads = new Uploads(LIMITS, () => nowMs);
  const [oldest, leaving, patient] = [fake(), fake(), fake()];
  oldest.waitingSinceMs = undefined;
  for (const reception of [oldest, leaving, patient]) uploads.hold(reception, 50);
  const ended: string[] = [];
  waitFor(uploads, leaving, 'leaving', ended);
  waitFor(uploads, patient, 'patient', ended);
  uploads.refuse(leaving, new BigCacheError('REQUEST_INVALID'));
  await nextTurn();
  assert.deepEqual(ended, ['leaving: REQUEST_INVALID']);
  nowMs = 29_999;
  patient.waitingSinceMs = undefined;
  uploads.check();
  await nextTurn();
  assert.equal(ended.length, 1);
  nowMs = 30_000;
  uploads.check();
  await nextTurn();
  assert.deepEqual(ended, ['leaving: REQUEST_INVALID', 'patient: OVERLOADED']);
  for (const reception of [oldest, leaving, patient]) uploads.remove(reception);
});

test('streams beyond their number wait for each other, and for no longer than a stall', async () => {
  let nowMs = 0;
  const uploads = new Uploads(LIMITS, () => nowMs);
  const streams = Array.from({ length: 5 }, () => fake());
  const [first, second, third, fourth, fifth] = streams;
  assert.ok(first && second && third && fourth && fifth);
  const ended: string[] = [];
  const begin = (stream: Reception, who: string) =>
    uploads.streamTurn(stream)?.then(
      () => ended.push(who),
      (error: BigCacheError) => ended.push(`${who}: ${error.code}`),
    );
  assert.equal(begin(first, 'first'), undefined);
  assert.equal(begin(second, 'second'), undefined);
  for (const [stream, who] of [
    [third, 'third'],
    [fourth, 'fourth'],
    [fifth, 'fifth'],
  ] as const) {
    stream.waitingSinceMs = undefined;
    assert.ok(begin(stream, who) !== undefined);
  }
  uploads.refuse(third, new BigCacheError('REQUEST_INVALID'));
  await nextTurn();
  uploads.remove(first);
  await nextTurn();
  assert.deepEqual(ended, ['third: REQUEST_INVALID', 'fourth']);
  nowMs = 30_000;
  uploads.check();
  await nextTurn();
  assert.deepEqual(ended.slice(2), ['fifth: OVERLOADED']);
  for (const stream of streams) uploads.remove(stream);
});

test('whatever the order of arrivals, no bodies wait for each other for ever', async () => {
  const arrivals = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 60 })));
  const property = fc.asyncProperty(arrivals, async (pieces) => {
    const uploads = new Uploads(LIMITS);
    const bodies = Array.from({ length: 5 }, () => ({ reception: fake(), heldBytes: 0 }));
    const waiting = new Set<Reception>();
    for (const [nth, bytes] of pieces) {
      const body = bodies[nth];
      if (body === undefined || waiting.has(body.reception)) continue;
      const { reception } = body;
      body.heldBytes += bytes;
      uploads.hold(reception, bytes);
      const room = uploads.room(reception);
      if (room === undefined) continue;
      waiting.add(reception);
      void room.then(() => waiting.delete(reception));
    }
    // Whoever may read ends, one after the other; that must be all of them.
    while (bodies.length > 0) {
      const free = bodies.find(({ reception }) => !waiting.has(reception));
      assert.ok(free !== undefined, 'somebody may read');
      bodies.splice(bodies.indexOf(free), 1);
      uploads.remove(free.reception);
      if (free.heldBytes > 0) uploads.release(free.reception, free.heldBytes);
      await nextTurn();
    }
    assert.equal(uploads.heldBytes, 0);
  });
  await fc.assert(property, { numRuns: 50 });
});
