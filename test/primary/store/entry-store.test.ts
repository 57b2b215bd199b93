/**
 * Random histories of the store in batches, with restarts, against a simple model; and after each
 * batch the counters in memory against a recount of the index.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EntryStore } from '../../../src/primary/store/entry-store.ts';
import type { Index } from '../../../src/primary/store/index/index-files.ts';
import { entryKey, entryRange } from '../../../src/primary/store/index/index-keys.ts';
import type { Purge } from '../../../src/primary/store/purges/purges.ts';
import { SegmentState } from '../../../src/primary/store/segment-stats.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { missReason } from '../../../src/protocol/miss.ts';
import { expiresAtOf, pointerOf, versionOf } from '../../../src/protocol/record.ts';
import { occupiedBytesOf } from '../../../src/segments/format.ts';
import { type ModelPurge, ModelStore } from './store-model.ts';
import { openedIndex, recordOf } from './store-setup.ts';

const KEYS = ['a', 'a/1', 'a/2', 'ab', 'b', '한', '\u{10FFFF}'];
const PREFIXES = ['a', 'a/', 'b', '한', '\u{10FFFF}', 'nothing'];
const TAGS = ['t', 'u', '태그'];
const WRITER = 1;
const NO_RECORD = Buffer.alloc(100);

type Step =
  | {
      readonly do: 'commit';
      key: string;
      bytes: number;
      lifeMs: number;
      segment: number;
      tags: string[];
    }
  | { readonly do: 'remove'; key: string }
  | { readonly do: 'removeSeen'; key: string; isSame: boolean }
  | { readonly do: 'purge'; prefix: string; tag?: string | undefined; isSoft: boolean }
  | { readonly do: 'clear' };

/** What stands between two batches. */
type Pause = 'none' | 'later' | 'work off' | 'restart' | 'roll over';

const key = fc.constantFrom(...KEYS);
const commit = fc.record({
  do: fc.constant('commit' as const),
  key,
  bytes: fc.nat(1000),
  lifeMs: fc.constantFrom(0, 0, 50, 500),
  segment: fc.nat(3),
  tags: fc.uniqueArray(fc.constantFrom(...TAGS), { maxLength: 2 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: commit },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('removeSeen' as const), key, isSame: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('purge' as const),
      prefix: fc.constantFrom(...PREFIXES, ''),
      isSoft: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('purge' as const),
      prefix: fc.constant(''),
      tag: fc.constantFrom(...TAGS),
      isSoft: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
);
const batch = fc.record({
  steps: fc.array(step, { maxLength: 12 }),
  pause: fc.constantFrom<Pause>(
    'none',
    'none',
    'later',
    'later',
    'work off',
    'restart',
    'roll over',
  ),
});

/** A store and its model, taken through the same history. */
class History {
  readonly #index: Index;
  readonly #model = new ModelStore(1_000_000);
  #store: EntryStore;
  /** Granted and not yet sealed. */
  #openSegments: number[] = [];
  #granted = 0;
  #lastVersion = 0;
  /** The purges that the model and the store know, of this run of the store. */
  #purges: { model: ModelPurge; real: Purge }[] = [];

  private constructor(index: Index, store: EntryStore) {
    this.#index = index;
    this.#store = store;
  }

  static async begin(index: Index): Promise<History> {
    await index.clear();
    const history = new History(index, await EntryStore.load(index, { now: () => 0 }));
    await history.restart();
    return history;
  }

  /** All steps of one tick go into one batch of the lane; each is judged after those before it. */
  async run(steps: readonly Step[]): Promise<void> {
    const checks = steps.map((one) => this.#run(one));
    await Promise.all(checks);
  }

  async pause(kind: Pause): Promise<void> {
    if (kind === 'later') this.#model.nowMs += 60;
    if (kind === 'work off') await this.#workOff();
    if (kind === 'restart') await this.restart();
    if (kind === 'roll over') {
      const full = this.#openSegments.shift();
      if (full !== undefined) await this.#store.sealSegment(WRITER, full);
      await this.#grant();
    }
  }

  /** As after kill -9: nothing but the index is left. */
  async restart(): Promise<void> {
    this.#store = await EntryStore.load(this.#index, { now: () => this.#model.nowMs });
    await this.#store.settleSegments(
      new Map([...this.#store.segments.keys()].map((id) => [id, 64])),
    );
    const states = [...this.#store.segments.values()].map(({ state }) => state);
    assert.ok(states.every((state) => state === SegmentState.sealed));
    this.#openSegments = [];
    this.#purges = [];
    this.#model.gone.clear();
    await this.#grant();
  }

  async #grant(): Promise<void> {
    const id = await this.#store.grantSegment(WRITER);
    assert.ok(id > this.#granted, 'ids rise for ever');
    this.#granted = id;
    this.#openSegments.push(id);
  }

  async #run(one: Step): Promise<void> {
    const { nowMs } = this.#model;
    if (one.do === 'commit') return this.#commit(one, nowMs);
    if (one.do === 'remove') {
      const expected = this.#model.remove(one.key);
      assert.equal(await this.#store.delete(one.key), expected);
    } else if (one.do === 'removeSeen') {
      // What a reader saw before this batch; entries of the same batch have no version yet.
      const seen = this.#model.entries.get(one.key)?.version ?? 0;
      const version = one.isSame ? seen : seen + 1;
      const expected = version > 0 && this.#model.removeSeen(one.key, version);
      const removed = await this.#store.removeSeen([{ key: one.key, version }]);
      assert.equal(removed, expected ? 1 : 0);
    } else {
      const selection = one.do === 'clear' ? { prefix: '' } : one;
      const { prefix, tag, isSoft } = { tag: undefined, isSoft: false, ...selection };
      const model = this.#model.purge({ prefix, tag, isSoft });
      this.#purges.push({ model, real: await this.#store.purgeBy({ prefix, tag, isSoft }) });
    }
  }

  async #commit(one: Extract<Step, { do: 'commit' }>, nowMs: number): Promise<void> {
    const segment = one.segment === 3 ? this.#granted + 5 : (this.#openSegments.at(-1) ?? 0);
    const expiresAtMs = one.lifeMs === 0 ? 0 : nowMs + one.lifeMs;
    const { tags, bytes: costMs } = one;
    const body = { segment, storedBytes: one.bytes };
    const record = recordOf(one.key, { ...body, expiresAtMs, tags, costMs });
    if (one.segment === 3) {
      const refused = this.#store.commit(WRITER, one.key, record);
      await assert.rejects(refused, isCode('STORE_FAILED'));
      return;
    }
    // The model is told at once, the version that the store gives as soon as it is known.
    const entry = {
      version: 0,
      expiresAtMs,
      segment,
      storedBytes: one.bytes,
      tags,
      costMs,
    };
    const created = this.#model.commit(one.key, entry);
    const done = await this.#store.commit(WRITER, one.key, record);
    assert.equal(done.created, created, `a commit of ${one.key}`);
    assert.ok(done.version > this.#lastVersion, 'versions rise for ever');
    this.#lastVersion = done.version;
    entry.version = done.version;
  }

  /** What the hand does: removes all that purges took, then forgets them. */
  async #workOff(): Promise<void> {
    const taken = [...this.#model.entries]
      .filter(([, entry]) => entry.takenBy !== undefined)
      .map(([taken, { version }]) => ({ key: taken, version }));
    assert.equal(await this.#store.removeSeen(taken), taken.length);
    for (const { key: gone, version } of taken) this.#model.removeSeen(gone, version);
    const fresh = [...this.#model.entries].map(([seen, { version }]) => ({ key: seen, version }));
    assert.equal(await this.#store.soften(fresh), this.#model.soften());
    for (const { model, real } of this.#purges) {
      const { matched, removed, bytes } = real;
      const { prefix, tag, isSoft } = model;
      // Costs follow from the misses that the history has read, too.
      const { costMs: _, ...expected } = model;
      assert.deepEqual({ prefix, tag, isSoft, matched, removed, bytes }, expected);
      assert.equal(this.#store.findPurge(real.version), real);
    }
    await this.#store.finishPurges(this.#store.pendingPurges.map(({ version }) => version));
    assert.equal(this.#store.pendingPurges.length, 0);
    this.#purges = [];
  }

  /** The answers to readers, and every counter, are those of the model and of a recount. */
  async check(): Promise<void> {
    const found = await this.#store.lookUp(KEYS);
    for (const [at, lookedUp] of KEYS.entries()) {
      const answer = found[at];
      const reason = Buffer.isBuffer(answer) ? 'readable' : missReason(answer);
      assert.equal(reason, this.#model.why(lookedUp), lookedUp);
      assert.deepEqual(this.#store.lookUpAtOnce(lookedUp), answer);
      if (!Buffer.isBuffer(answer)) continue;
      const entry = this.#model.entries.get(lookedUp);
      assert.equal(versionOf(answer), entry?.version);
      const { softenedBy, softenedAtMs, expiresAtMs } = entry ?? { expiresAtMs: -1 };
      assert.equal(expiresAtOf(answer), softenedBy === undefined ? expiresAtMs : softenedAtMs);
    }
    assert.equal(this.#store.count, this.#model.counted.length);
    await this.#recount();
  }

  async #recount(): Promise<void> {
    const live = new Map<number, { records: number; bytesLive: number }>();
    let count = 0;
    for await (const [indexKey, record] of this.#index.iterator(entryRange(''))) {
      if (versionOf(record) <= this.#store.clearVersion) continue;
      count += 1;
      const { segment } = pointerOf(record);
      const { records, bytesLive } = live.get(segment) ?? { records: 0, bytesLive: 0 };
      live.set(segment, {
        records: records + 1,
        bytesLive: bytesLive + occupiedBytesOf(indexKey.length - 1, record),
      });
    }
    assert.equal(this.#store.count, count);
    for (const { id, records, bytesLive } of this.#store.segments.values()) {
      assert.deepEqual({ records, bytesLive }, live.get(id) ?? { records: 0, bytesLive: 0 });
      live.delete(id);
    }
    assert.equal(live.size, 0, 'every record points to a segment that is known');
  }
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BigCacheError && error.code === code;
}

describe('a store', () => {
  it('answers and counts like its model through any history, restarts included', async (t) => {
    const { index } = await openedIndex(t);
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 12 }), async (batches) => {
        const history = await History.begin(index);
        for (const { steps, pause } of batches) {
          await history.run(steps);
          await history.check();
          await history.pause(pause);
          await history.check();
        }
      }),
      { numRuns: 40, includeErrorInReport: true },
    );
  });

  it('counts for a purge what could be read when it began, not what had expired by then', async (t) => {
    const { index } = await openedIndex(t);
    let nowMs = 1000;
    const store = await EntryStore.load(index, { now: () => nowMs });
    const segment = await store.grantSegment(WRITER);
    for (const [nth, expiresAtMs] of [0, 1050, 1051, 9000].entries()) {
      await store.commit(WRITER, `p/${nth}`, recordOf(`p/${nth}`, { segment, expiresAtMs }));
    }
    nowMs = 1050;
    const purge = await store.purge('p/');
    const records = await Promise.all([0, 1, 2, 3].map((nth) => index.get(entryKey(`p/${nth}`))));
    nowMs = 10_000;
    await store.removeSeen(
      records.map((record, nth) => ({ key: `p/${nth}`, version: versionOf(record ?? NO_RECORD) })),
    );
    assert.equal(purge.matched, 3);
  });

  it('takes no entry into a segment that is sealed, of another writer, or unknown', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const segment = await store.grantSegment(WRITER);
    const record = (): Buffer => recordOf('key', { segment });
    await assert.rejects(store.commit(WRITER + 1, 'key', record()), isCode('STORE_FAILED'));
    await store.sealSegment(WRITER + 1, segment);
    await store.commit(WRITER, 'key', record());
    await store.sealSegment(WRITER, segment);
    await assert.rejects(store.commit(WRITER, 'key', record()), isCode('STORE_FAILED'));
    assert.equal(store.count, 1);
    assert.equal(store.segments.get(segment)?.records, 1);
  });

  it('seals what a dead worker left open, a segment granted in the same moment included', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const kept = await store.grantSegment(WRITER + 1);
    await store.grantSegment(WRITER);
    // The grant waits in the lane when the worker's channel ends.
    const granting = store.grantSegment(WRITER);
    await store.sealSegmentsOf(WRITER);
    await granting;
    const open = [...store.segments.values()].filter(({ state }) => state === SegmentState.open);
    assert.deepEqual(
      open.map(({ id }) => id),
      [kept],
    );
  });

  it('refuses a purge beyond the 10,000 that may be pending', async (t) => {
    const { index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const purges = Array.from({ length: 10_000 }, (_, nth) => store.purge(`p/${nth}`));
    const refused = store.purge('one more');
    await assert.rejects(refused, isCode('PURGES_PENDING'));
    const [first] = await Promise.all(purges);
    await store.finishPurges([first?.version ?? 0]);
    await store.purge('one more');
    await assert.rejects(store.purge('and another'), isCode('PURGES_PENDING'));
  });

  it('never gives a version twice, however often it is loaded', async (t) => {
    const { index } = await openedIndex(t);
    let last = 0;
    for (let run = 0; run < 5; run++) {
      const store = await EntryStore.load(index);
      const { version } = await store.purge('p');
      assert.ok(version > last && Number.isSafeInteger(version));
      last = version;
    }
  });
});
