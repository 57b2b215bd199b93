/** What workers hold beside what is in the index, judged by what readers were given. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { Coherence } from '../../../src/primary/coherence/coherence.ts';
import type { RecordHolder } from '../../../src/primary/coherence/handshake.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { bucketOf } from '../../../src/protocol/key-hash.ts';

const BUCKET = bucketOf('key');
const LIMITS = { answerMs: 20, exitMs: 20 };

/** A worker that does what the test says. */
class FakeWorker implements RecordHolder {
  readonly bit: number;
  readonly asked: (readonly number[] | undefined)[] = [];
  readonly killed: string[] = [];
  readonly exited: Promise<void>;
  exit: () => void = () => undefined;
  answer: 'at once' | 'never' | 'channel ends' = 'at once';
  readonly #held: (() => void)[] = [];

  constructor(bit: number) {
    this.bit = bit;
    this.exited = new Promise((resolve) => {
      this.exit = resolve;
    });
  }

  async drop(buckets: readonly number[] | undefined): Promise<void> {
    this.asked.push(buckets);
    if (this.answer === 'channel ends') throw new BigCacheError('STORE_UNAVAILABLE');
    if (this.answer === 'never') await new Promise<void>((resolve) => this.#held.push(resolve));
  }

  answerNow(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }

  kill(why: string): void {
    this.killed.push(why);
  }
}

function withWorkers(...workers: FakeWorker[]): Coherence {
  const coherence = new Coherence(LIMITS);
  for (const worker of workers) coherence.join(worker);
  return coherence;
}

describe('coherence', () => {
  it('asks nobody about what nobody was given', async () => {
    const worker = new FakeWorker(1);
    const coherence = withWorkers(worker);
    assert.equal(await coherence.change(['key'], async () => 'done'), 'done');
    assert.deepEqual(worker.asked, []);
    assert.equal(coherence.begun, undefined);
  });

  it('has those and only those drop a record who were given it, once', async () => {
    const [one, other] = [new FakeWorker(1), new FakeWorker(2)];
    const coherence = withWorkers(one, other);
    coherence.register(one, BUCKET);
    await coherence.change(['key'], async () => undefined);
    await coherence.change(['key'], async () => undefined);
    assert.deepEqual([one.asked, other.asked], [[[BUCKET]], []]);
  });

  it('asks each worker once for all changes of a turn', async () => {
    const worker = new FakeWorker(1);
    const coherence = withWorkers(worker);
    const keys = ['a', 'b', 'c'];
    for (const key of keys) coherence.register(worker, bucketOf(key));
    await Promise.all(keys.map((key) => coherence.change([key], async () => undefined)));
    assert.deepEqual(worker.asked, [keys.map(bucketOf)]);
  });

  it('begins no change before all have answered, nor a later one of the same key', async () => {
    const worker = new FakeWorker(1);
    worker.answer = 'never';
    const coherence = withWorkers(worker);
    coherence.register(worker, BUCKET);
    const begun: number[] = [];
    const changes = [1, 2].map((nth) =>
      coherence.change(['key'], async () => {
        begun.push(nth);
      }),
    );
    await turn();
    assert.deepEqual(begun, []);
    const waited = coherence.begun;
    assert.ok(waited);
    worker.answerNow();
    await waited;
    assert.deepEqual(begun, [1, 2]);
    await Promise.all(changes);
  });

  it('has only those drop everything who were given anything since they last did', async () => {
    const [one, idle] = [new FakeWorker(1), new FakeWorker(2)];
    const coherence = withWorkers(one, idle);
    coherence.register(one, BUCKET);
    await coherence.changeAll(async () => undefined);
    await coherence.changeAll(async () => undefined);
    assert.deepEqual([one.asked, idle.asked], [[undefined], []]);
  });

  it('begins no change while everything is being dropped', async () => {
    const worker = new FakeWorker(1);
    worker.answer = 'never';
    const coherence = withWorkers(worker);
    coherence.register(worker, BUCKET);
    const begun: string[] = [];
    const all = coherence.changeAll(async () => begun.push('all'));
    const one = coherence.change(['key'], async () => begun.push('one'));
    await turn();
    assert.deepEqual([begun, worker.asked], [[], [undefined]]);
    worker.answerNow();
    await Promise.all([all, one]);
    assert.deepEqual(begun.sort(), ['all', 'one']);
  });

  it('lets nobody hold what was read while it was being changed', async () => {
    const worker = new FakeWorker(1);
    const coherence = withWorkers(worker);
    const before = coherence.register(worker, BUCKET);
    assert.equal(coherence.mayHold(BUCKET, before), true);
    let during = 0;
    await coherence.change(['key'], async () => {
      assert.equal(coherence.mayHold(BUCKET, before), false);
      during = coherence.register(worker, BUCKET);
      assert.equal(coherence.mayHold(BUCKET, during), false);
    });
    assert.equal(coherence.mayHold(BUCKET, before), false);
    assert.equal(coherence.mayHold(BUCKET, during), false);
    assert.equal(coherence.mayHold(BUCKET, coherence.register(worker, BUCKET)), true);
    const resume = await coherence.suspend();
    assert.equal(coherence.mayHold(BUCKET, coherence.register(worker, BUCKET)), false);
    resume();
    resume();
    assert.equal(coherence.mayHold(BUCKET, coherence.register(worker, BUCKET)), true);
  });

  it('kills a worker that does not answer, and goes on when its process has ended', async () => {
    for (const answer of ['never', 'channel ends'] as const) {
      const worker = new FakeWorker(1);
      worker.answer = answer;
      worker.kill = (why) => {
        worker.killed.push(why);
        setTimeout(worker.exit, 5);
      };
      const coherence = withWorkers(worker);
      coherence.register(worker, BUCKET);
      assert.equal(await coherence.change(['key'], async () => 'done'), 'done');
      assert.equal(worker.killed.length, 1, answer);
    }
  });

  it('refuses a change while a worker neither answers nor ends, and asks it again', async () => {
    const worker = new FakeWorker(1);
    worker.answer = 'never';
    const coherence = withWorkers(worker);
    coherence.register(worker, BUCKET);
    const refused = { code: 'DEADLINE_EXCEEDED' };
    const never = async () => assert.fail('it began');
    await assert.rejects(coherence.change(['key'], never), refused);
    await assert.rejects(coherence.changeAll(never), refused);
    await assert.rejects(coherence.change(['other'], never), refused);
    worker.exit();
    coherence.leave(worker);
    const asked = worker.asked.length;
    assert.equal(await coherence.change(['key'], async () => 'done'), 'done');
    assert.equal(worker.asked.length, asked);
  });

  it('keeps the bit of a worker that another has too, since there are more than 32', async () => {
    const [one, other] = [new FakeWorker(1), new FakeWorker(1)];
    const coherence = withWorkers(one, other);
    coherence.register(other, BUCKET);
    one.exit();
    coherence.leave(one);
    await coherence.change(['key'], async () => undefined);
    assert.deepEqual(other.asked, [[BUCKET]]);
  });

  it('passes on what a change is refused with, and is over then', async () => {
    const coherence = withWorkers();
    const refused = async () => {
      throw new BigCacheError('PRECONDITION_FAILED');
    };
    await assert.rejects(coherence.change(['key'], refused), { code: 'PRECONDITION_FAILED' });
    const worker = new FakeWorker(1);
    coherence.join(worker);
    assert.equal(coherence.mayHold(BUCKET, coherence.register(worker, BUCKET)), true);
  });
});

const KEYS = ['a'];
const WORKERS = 2;

type ToWorker =
  | { readonly reply: string; readonly value: number; readonly mayHold: boolean }
  | { readonly drop: ReadonlySet<number> | undefined; readonly done: () => void };

/** A key, two workers and a primary, in which nothing happens but what `step` chooses. */
class Simulation {
  readonly #coherence = new Coherence({ answerMs: 60_000, exitMs: 60_000 });
  /** What the index holds, and for each key the newest value that any reader was given. */
  readonly #index = new Map(KEYS.map((key) => [key, 0]));
  readonly #seen = new Map(KEYS.map((key) => [key, 0]));
  readonly #workers = Array.from({ length: WORKERS }, (_, nth) => new SimulatedWorker(1 << nth));
  /** Reads of the index, and commits, that are under way. */
  readonly #underWay: (() => void)[] = [];
  readonly #changes: Promise<unknown>[] = [];
  #lastValue = 0;
  hits = 0;

  constructor() {
    for (const worker of this.#workers) this.#coherence.join(worker);
  }

  async step(choice: number, what: number): Promise<void> {
    const worker = this.#workers[choice % WORKERS] as SimulatedWorker;
    const key = KEYS[choice % KEYS.length] as string;
    if (what < 7) this.#read(worker, key);
    else if (what === 7) this.#changes.push(this.#write(key));
    else if (what === 8 && choice < 6) this.#changes.push(this.#purge());
    else if (what < 15) this.#underWay.splice(choice % (this.#underWay.length || 1), 1)[0]?.();
    else this.#deliver(worker);
    if (choice % 3 > 0) await turn();
  }

  async finish(): Promise<void> {
    let isDone = false;
    const all = Promise.all(this.#changes).then(() => {
      isDone = true;
    });
    for (let round = 0; round < 1000 && !isDone; round++) {
      for (const worker of this.#workers) this.#deliver(worker);
      for (const go of this.#underWay.splice(0)) go();
      await turn();
    }
    assert.ok(isDone, 'every change ends');
    await all;
  }

  #read(worker: SimulatedWorker, key: string): void {
    const held = worker.held.get(key);
    if (held !== undefined) {
      this.hits += 1;
      this.#give(key, held, this.#seen.get(key) as number);
      return;
    }
    // What others were given before this read began must not be newer than what it gets.
    const atLeast = this.#seen.get(key) as number;
    const mark = this.#coherence.register(worker, bucketOf(key));
    this.#underWay.push(() => {
      const value = this.#index.get(key) as number;
      this.#underWay.push(() => {
        const mayHold = this.#coherence.mayHold(bucketOf(key), mark);
        worker.inbox.push({ reply: key, value, mayHold });
        this.#give(key, value, atLeast);
      });
    });
  }

  #give(key: string, value: number, atLeast: number): void {
    assert.ok(value >= atLeast, `${key}: ${value} was given after ${atLeast}`);
    this.#seen.set(key, Math.max(value, this.#seen.get(key) as number));
  }

  async #write(key: string): Promise<void> {
    this.#lastValue += 1;
    const value = this.#lastValue;
    await this.#coherence.change([key], () => this.#commit([key], value));
  }

  async #purge(): Promise<void> {
    this.#lastValue += 1;
    const value = this.#lastValue;
    await this.#coherence.changeAll(() => this.#commit(KEYS, value));
  }

  #commit(keys: readonly string[], value: number): Promise<void> {
    return new Promise((resolve) => {
      this.#underWay.push(() => {
        for (const key of keys) {
          this.#index.set(key, Math.max(value, this.#index.get(key) as number));
        }
        resolve();
      });
    });
  }

  #deliver(worker: SimulatedWorker): void {
    const message = worker.inbox.shift();
    if (message === undefined) return;
    if ('reply' in message) {
      if (message.mayHold) worker.held.set(message.reply, message.value);
      return;
    }
    for (const key of KEYS) if (message.drop?.has(bucketOf(key)) ?? true) worker.held.delete(key);
    message.done();
  }
}

class SimulatedWorker implements RecordHolder {
  readonly bit: number;
  readonly held = new Map<string, number>();
  readonly inbox: ToWorker[] = [];
  readonly exited = new Promise<void>(() => undefined);

  constructor(bit: number) {
    this.bit = bit;
  }

  drop(buckets: readonly number[] | undefined): Promise<void> {
    const drop = buckets === undefined ? undefined : new Set(buckets);
    return new Promise((done) => this.inbox.push({ drop, done }));
  }

  kill(): void {
    assert.fail('every worker answers');
  }
}

describe('no reader is given the old record once any was given the new one', () => {
  it('in whatever order reads, changes, purges and messages happen', async () => {
    let hits = 0;
    const steps = fc.array(fc.tuple(fc.nat(11), fc.nat(21)), {
      minLength: 100,
      maxLength: 300,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(steps, async (choices) => {
        const simulation = new Simulation();
        for (const [choice, what] of choices) await simulation.step(choice, what);
        await simulation.finish();
        hits += simulation.hits;
      }),
      { numRuns: 300, endOnFailure: true },
    );
    assert.ok(hits > 0, 'something was held');
  });
});
