/** How many connections a worker gives up, by itself and among others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { evenShare } from '../../src/primary/even-share.ts';
import { CLOSINGS_PER_ROUND_MAX, Surplus } from '../../src/workers/surplus.ts';

const ROUND_MS = 1000;

/** The times within a round from `fromMs` on, by the millisecond, at which one may be given up. */
function takenIn(
  surplus: Surplus,
  fromMs: number,
  onTaken: () => void = () => undefined,
): number[] {
  const times: number[] = [];
  for (let ms = fromMs; ms < fromMs + ROUND_MS; ms++) {
    if (ms < surplus.closesFromMs || !surplus.take(ms)) continue;
    times.push(ms);
    onTaken();
  }
  return times;
}

/** A worker with `open` connections, whose share was `share` for two rounds. */
function lopsided(open: number, share: number): Surplus {
  const surplus = new Surplus(() => open);
  surplus.beginRound(share, 0);
  surplus.beginRound(share, ROUND_MS);
  return surplus;
}

describe('a worker', () => {
  it('gives nothing up before it knows what an even share is', () => {
    assert.deepEqual(takenIn(new Surplus(() => 100), 0), []);
  });

  it('holds on to a quarter more than its share', () => {
    assert.deepEqual(takenIn(lopsided(20, 16), ROUND_MS), []);
    assert.equal(takenIn(lopsided(21, 16), ROUND_MS).length, 5);
  });

  it('gives a surplus up when it is there for the second time', () => {
    const surplus = new Surplus(() => 44);
    surplus.beginRound(16, 0);
    assert.deepEqual(takenIn(surplus, 0), []);
    surplus.beginRound(16, ROUND_MS);
    assert.equal(takenIn(surplus, ROUND_MS).length, 28);
  });

  it('gives up evenly over the round, and at most so many', () => {
    const times = takenIn(lopsided(1000, 10), ROUND_MS);
    assert.equal(times.length, CLOSINGS_PER_ROUND_MAX);
    for (const [nth, ms] of times.entries()) {
      const dueMs = ROUND_MS + (nth * ROUND_MS) / CLOSINGS_PER_ROUND_MAX;
      assert.equal(ms, Math.ceil(dueMs));
    }
  });

  it('makes up within the round for the time in which no answer left', () => {
    const surplus = lopsided(20, 10);
    const lateMs = 1.5 * ROUND_MS;
    let taken = 0;
    while (surplus.take(lateMs)) taken += 1;
    assert.equal(taken, 6);
    assert.equal(takenIn(surplus, lateMs).length, 4);
  });

  it('stops at its share when connections end by themselves', () => {
    let open = 30;
    const surplus = new Surplus(() => open);
    surplus.beginRound(10, 0);
    surplus.beginRound(10, ROUND_MS);
    const times = takenIn(surplus, ROUND_MS, () => {
      open -= 2;
    });
    assert.deepEqual([times.length, open], [10, 10]);
  });

  it('asks more and more rarely where all clients come back to it', () => {
    const surplus = new Surplus(() => 40);
    const roundsWithClosings: number[] = [];
    for (let round = 0; round < 300; round++) {
      surplus.beginRound(10, round * ROUND_MS);
      if (takenIn(surplus, round * ROUND_MS).length > 0) roundsWithClosings.push(round);
    }
    assert.deepEqual(roundsWithClosings, [1, 3, 7, 15, 31, 63, 127, 192, 257]);
  });
});

/** Workers that all serve clients without a pause, which open a connection again where one ends. */
class Workers {
  readonly shares: number[];
  readonly #surpluses: Surplus[];
  readonly #randomWorker: () => number;
  #rounds = 0;

  constructor(shares: readonly number[], randomWorker: () => number) {
    this.shares = [...shares];
    this.#surpluses = shares.map((_, nth) => new Surplus(() => this.shares[nth] ?? 0));
    this.#randomWorker = randomWorker;
  }

  /** Answers how many connections were given up. */
  round(): number {
    const nowMs = this.#rounds++ * ROUND_MS;
    const share = evenShare(this.shares);
    for (const surplus of this.#surpluses) surplus.beginRound(share, nowMs);
    let closings = 0;
    for (let ms = nowMs; ms < nowMs + ROUND_MS; ms += 4) {
      for (const [nth, surplus] of this.#surpluses.entries()) {
        if (ms < surplus.closesFromMs || !surplus.take(ms)) continue;
        closings += 1;
        this.#move(nth, this.#randomWorker());
      }
    }
    return closings;
  }

  #move(from: number, to: number): void {
    this.shares[from] = (this.shares[from] ?? 0) - 1;
    this.shares[to] = (this.shares[to] ?? 0) + 1;
  }
}

/** Numbers from 0 to below 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('workers whose clients come back to any of them', () => {
  it('come to even shares, and then give nothing up any more', () => {
    const anyShares = fc.array(fc.nat({ max: 600 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(anyShares, fc.nat(), (before, seed) => {
        const random = randomOf(seed);
        const workers = new Workers(before, () => Math.floor(random() * before.length));
        const total = before.reduce((sum, share) => sum + share, 0);
        for (let round = 0; round < 60; round++) workers.round();
        const after = workers.shares;
        assert.equal(
          after.reduce((sum, share) => sum + share, 0),
          total,
        );
        assert.ok(Math.max(...after) <= 1.25 * evenShare(after), `${before} became ${after}`);
        for (let round = 0; round < 20; round++) assert.equal(workers.round(), 0);
        assert.deepEqual(workers.shares, after);
      }),
      { numRuns: 60 },
    );
  });

  it('come to 1.5 times the mean within 10 s from what a shared socket gave them', () => {
    for (const before of [
      [44, 13, 4, 3],
      [269, 202, 40, 1],
      [512, 0, 0, 0],
    ]) {
      for (let seed = 0; seed < 20; seed++) {
        const random = randomOf(seed);
        const workers = new Workers(before, () => Math.floor(random() * before.length));
        for (let round = 0; round < 10; round++) workers.round();
        const busiest = Math.max(...workers.shares) / evenShare(before);
        assert.ok(busiest <= 1.5, `seed ${seed}: ${before} became ${workers.shares}`);
      }
    }
  });
});
