/** A backup under writes is the store at one moment: exactly the changes up to one of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom, testSeed } from '../../../e2e/chaos/random.ts';
import type { TestWorker } from '../../../workers/store/segment-store-setup.ts';
import { contentOf, FAST, RAW, servedStore } from './backup-setup.ts';

const KEYS = Array.from({ length: 40 }, (_, nth) => `${nth % 4}/key-${nth}`);

/** One change after the other, each acknowledged before the next begins. */
class History {
  readonly states: ReadonlyMap<string, string>[] = [new Map()];
  readonly #worker: TestWorker;
  readonly #random: () => number;
  isStopped = false;

  constructor(worker: TestWorker, random: () => number) {
    this.#worker = worker;
    this.#random = random;
  }

  async run(): Promise<void> {
    for (let generation = 1; !this.isStopped; generation++) {
      const state = new Map(this.states.at(-1));
      await this.#change(state, generation);
      this.states.push(state);
    }
  }

  async #change(state: Map<string, string>, generation: number): Promise<void> {
    const { store } = this.#worker;
    const key = KEYS[Math.floor(this.#random() * KEYS.length)] ?? '';
    const kind = this.#random();
    if (kind < 0.85) {
      const body = `generation ${generation} `.repeat(1 + Math.floor(this.#random() * 200));
      await store.put(key, RAW, Buffer.from(body));
      state.set(key, body);
    } else if (kind < 0.97) {
      await store.delete(key);
      state.delete(key);
    } else if (kind < 0.995) {
      const prefix = key.slice(0, 2);
      // Its answer comes when it is counted; it holds from the moment that it is in the lane.
      await store.deletePrefix(prefix);
      for (const name of [...state.keys()]) if (name.startsWith(prefix)) state.delete(name);
    } else {
      await store.clear();
      state.clear();
    }
  }
}

describe('a backup that is made while one writer changes entry after entry', () => {
  it('is the state after some change that was made while it was made', async (t) => {
    const seed = testSeed();
    t.diagnostic(`seed ${seed}`);
    const { server, worker, place } = await servedStore(t);
    const history = new History(worker, randomFrom(seed));
    const writing = history.run();
    for (let round = 0; round < 3; round++) {
      await sleep(100);
      const from = history.states.length - 1;
      const to = place(`backup-${round}`);
      const { heldMs } = await server.storage.backUp({ to, bytesPerSecond: FAST });
      const until = history.states.length;
      const content = await contentOf(to, KEYS);
      const text = JSON.stringify([...content].sort());
      const equal = history.states
        .map((state, at) => ({ at, text: JSON.stringify([...state].sort()) }))
        .filter((state) => state.text === text);
      assert.ok(equal.length > 0, `seed ${seed}: round ${round} is no state of the history`);
      assert.ok(
        equal.some(({ at }) => at >= from && at <= until),
        `seed ${seed}: round ${round} is state ${equal[0]?.at}, not one of ${from} to ${until}`,
      );
      t.diagnostic(`round ${round}: changes ${from} to ${until}, held ${heldMs.toFixed(2)} ms`);
    }
    history.isStopped = true;
    await writing;
  });
});

describe('a backup that is made while several workers write', () => {
  it('holds all changes up to one version, and none after it', async (t) => {
    const { server, place } = await servedStore(t);
    const workers = [server.addWorker(), server.addWorker(), server.addWorker()];
    const written: { version: number; key: string; body: string }[] = [];
    let isStopped = false;
    const writing = workers.map(async ({ store }, nth) => {
      for (let generation = 0; !isStopped; generation++) {
        const key = `writer-${(nth + generation) % workers.length}/${generation % 20}`;
        const body = `${nth} ${generation}`;
        const { version } = await store.put(key, RAW, Buffer.from(body));
        written.push({ version, key, body });
      }
    });
    await sleep(200);
    const to = place('backup');
    await server.storage.backUp({ to, bytesPerSecond: FAST });
    await sleep(50);
    isStopped = true;
    await Promise.all(writing);
    written.sort((one, other) => one.version - other.version);
    const keys = [...new Set(written.map(({ key }) => key))];
    const content = await contentOf(to, keys);
    const state = new Map<string, string>();
    const isIt = (): boolean =>
      state.size === content.size && [...state].every(([key, body]) => content.get(key) === body);
    let isFound = false;
    for (const { key, body } of written) {
      state.set(key, body);
      isFound ||= isIt();
    }
    assert.ok(isFound, 'the backup is the state after one of the versions');
    assert.ok(!isIt(), 'changes went on after it');
  });
});
