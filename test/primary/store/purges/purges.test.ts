/** Purges judged against a list that is gone through one by one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DamagedValueError } from '../../../../src/primary/store/index/index-keys.ts';
import { FinishedPurges } from '../../../../src/primary/store/purges/finished-purges.ts';
import {
  decodePurge,
  decodeReport,
  encodePurge,
  encodeReport,
} from '../../../../src/primary/store/purges/purge-record.ts';
import {
  newPurge,
  type Purge,
  Purges,
  packMarks,
  unpackMarks,
} from '../../../../src/primary/store/purges/purges.ts';
import {
  decodeRecord,
  expiresAtOf,
  stampVersion,
  usefulUntilOf,
  versionOf,
} from '../../../../src/protocol/record.ts';
import { recordOf } from '../store-setup.ts';

const PREFIXES = ['a', 'a/', 'a/b', 'b', '한', '\u{10FFFF}', 'a\u{1F418}'];
const KEYS = [
  'a',
  'a/',
  'a/b',
  'a/bc',
  'ab',
  'b/a',
  '한국',
  '\u{10FFFF}x',
  'a\u{1F418}',
  'z',
  '\u{1F419}',
];

const TAGS = ['t', 'u', '태그', ''.padEnd(40, 'long')];

interface Drawn {
  readonly prefix: string;
  readonly tag: string | undefined;
  readonly isSoft: boolean;
}

type Step =
  | { readonly add: Drawn }
  /** The pending purge to forget, by its place. */
  | { readonly remove: number }
  | { readonly restart: true };

const drawn: fc.Arbitrary<Drawn> = fc.oneof(
  fc.record({
    prefix: fc.constantFrom(...PREFIXES, ''),
    tag: fc.constant(undefined),
    isSoft: fc.boolean(),
  }),
  fc.record({ prefix: fc.constant(''), tag: fc.constantFrom(...TAGS), isSoft: fc.boolean() }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ add: drawn }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.constant(true as const) }) },
);

/** What all entries of the model expire at: before, between and after the purges, or never. */
const EXPIRIES = [0, 35, 100_000];

function versioned(key: string, version: number, options: Parameters<typeof recordOf>[1]): Buffer {
  const record = recordOf(key, options);
  stampVersion(Buffer.from(key), record, version);
  return record;
}

const purgeOf = (version: number, prefix: string): Purge => newPurge({ version, prefix });
const isHit = (purge: Purge, key: string, tags: readonly string[]): boolean =>
  purge.tag === undefined ? key.startsWith(purge.prefix) : tags.includes(purge.tag);

/** What a list of purges, gone through one by one, makes of entries. */
class Model {
  readonly all: Purge[] = [];
  pending: Purge[] = [];
  clearVersion = 0;

  takers(isSoft: boolean, key: string, version: number, tags: readonly string[]): Purge[] {
    return this.pending.filter(
      (purge) => purge.isSoft === isSoft && purge.version > version && isHit(purge, key, tags),
    );
  }
}

function judgeAll(purges: Purges, model: Model, newest: number): void {
  for (const [nth, key] of KEYS.entries()) {
    const tags = TAGS.filter((_, bit) => (nth & (1 << bit)) !== 0);
    for (let version = 5; version <= newest; version += 10) {
      const expiresAtMs = EXPIRIES[(nth + version) % EXPIRIES.length] ?? 0;
      const record = versioned(key, version, { tags, expiresAtMs });
      const what = `${key} of ${version}`;
      const killers = model.takers(false, key, version, tags);
      const isPurged = killers.length > 0 || version <= model.clearVersion;
      assert.equal(purges.isPurged(key, record), isPurged, what);
      assert.equal(purges.killerOf(key, record), killers[0], what);
      const [oldest] = model.takers(true, key, version, tags);
      const isSoftened =
        oldest !== undefined && (expiresAtMs === 0 || expiresAtMs > oldest.startedAtMs);
      assert.equal(purges.softenerOf(key, record), isSoftened ? oldest : undefined, what);
      const shown = purges.withStaleness(key, record);
      assert.equal(expiresAtOf(shown), isSoftened ? oldest?.startedAtMs : expiresAtMs, what);
      assert.equal(versionOf(shown), version);
      assert.deepEqual(decodeRecord(Buffer.from(key), shown)?.tags, tags, what);
      const isTaken =
        version <= model.clearVersion ||
        model.all.some((purge) => purge.version > version && isHit(purge, key, tags));
      assert.equal(purges.isTakenSince(key, tags, version), isTaken, what);
    }
  }
}

describe('purges', () => {
  it('take what a list of them takes, hard and soft, over restarts too', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let purges = new Purges();
        const model = new Model();
        let version = 0;
        for (const one of steps) {
          version += 10;
          if ('restart' in one) {
            purges = new Purges();
            purges.restoreClear(model.clearVersion);
            model.pending = model.pending.map((purge) =>
              decodePurge(purge.version, encodePurge(purge)),
            );
            for (const purge of model.pending) purges.add(purge);
            model.all.splice(0, Number.POSITIVE_INFINITY, ...model.pending);
          } else if ('remove' in one) {
            const gone = model.pending[one.remove % Math.max(1, model.pending.length)];
            model.pending = model.pending.filter((purge) => purge !== gone);
            purges.remove(gone?.version ?? version);
          } else {
            const purge = newPurge({ ...one.add, version, startedAtMs: version });
            const isClear = purge.prefix === '' && purge.tag === undefined && !purge.isSoft;
            if (isClear) model.clearVersion = version;
            model.pending.push(purge);
            model.all.push(purge);
            purges.add(purge);
          }
          assert.equal(purges.size, model.pending.length);
          assert.deepEqual([...purges.pending], model.pending);
          assert.equal(purges.clearVersion, model.clearVersion);
        }
        judgeAll(purges, model, version + 10);
      }),
      { numRuns: 400 },
    );
  });

  it('do not take an entry of their own version, which no entry can have', () => {
    const purges = new Purges();
    purges.add(purgeOf(7, 'a'));
    assert.equal(purges.isPurged('a', versioned('a', 7, {})), false);
    assert.equal(purges.isPurged('a', versioned('a', 6, {})), true);
  });

  it('remember a clear after it was worked off, and over a restart', () => {
    const purges = new Purges();
    purges.add(purgeOf(7, ''));
    purges.remove(7);
    assert.equal(purges.isPurged('key', versioned('key', 6, {})), true);
    const restarted = new Purges();
    restarted.restoreClear(purges.clearVersion);
    restarted.restoreClear(3);
    assert.equal(restarted.isPurged('key', versioned('key', 7, {})), true);
    assert.equal(restarted.isPurged('key', versioned('key', 8, {})), false);
  });

  it('are pending until they are removed', () => {
    const purges = new Purges();
    const purge = purgeOf(7, 'a');
    purges.add(purge);
    assert.deepEqual([...purges.pending], [purge]);
    purges.remove(7);
    assert.deepEqual([...purges.pending], []);
  });

  it('of which soft ones leave the end of what they make stale where it was', () => {
    const purges = new Purges();
    purges.add(newPurge({ version: 7, prefix: '', isSoft: true, startedAtMs: 50 }));
    for (const options of [
      { expiresAtMs: 90 },
      { expiresAtMs: 90, staleIfErrorUntilMs: 120 },
      { expiresAtMs: 90, staleWhileRevalidateUntilMs: 100, staleIfErrorUntilMs: 120 },
    ]) {
      const record = versioned('key', 1, options);
      const shown = purges.withStaleness('key', record);
      assert.equal(expiresAtOf(shown), 50);
      assert.equal(usefulUntilOf(shown), usefulUntilOf(record));
      assert.equal(purges.withStaleness('key', shown), shown, 'once is enough');
    }
    const kept = purges.withStaleness('key', versioned('key', 1, {}));
    assert.deepEqual([expiresAtOf(kept), usefulUntilOf(kept)], [50, Number.MAX_SAFE_INTEGER]);
  });

  it('give a damaged record no new checksum', () => {
    const purges = new Purges();
    purges.add(newPurge({ version: 7, prefix: '', isSoft: true, startedAtMs: 50 }));
    const record = versioned('key', 1, {});
    record[70] = (record[70] ?? 0) ^ 1;
    assert.equal(purges.withStaleness('key', record), record);
  });

  it('of one prefix that end newest first are all remembered', () => {
    const finished = new FinishedPurges();
    for (const version of [20, 10]) finished.add(purgeOf(version, 'a'));
    assert.equal(finished.takes('a', 15, []), true);
    assert.equal(finished.takes('a', 20, []), false);
  });

  it('that are forgotten after very many others count as having taken anything', () => {
    const finished = new FinishedPurges(2);
    for (const version of [10, 20, 30]) finished.add(purgeOf(version, `p${version}`));
    assert.equal(finished.takes('other', 9, []), true);
    assert.equal(finished.takes('other', 10, []), false);
    assert.equal(finished.takes('p20', 10, []), true);
    assert.equal(finished.takes('p20', 20, []), false);
  });

  it('cross to a thread as they are', () => {
    const marks = [
      { version: 1, prefix: '\ufeffa', tag: undefined, isSoft: true, startedAtMs: 5 },
      { version: 2 ** 40, prefix: '', tag: '태그', isSoft: false, startedAtMs: 6 },
    ];
    assert.deepEqual(unpackMarks(packMarks(marks)), marks);
    assert.deepEqual(unpackMarks(undefined), []);
  });
});

const stored: fc.Arbitrary<Purge> = fc
  .record({
    text: fc.string({ unit: 'grapheme', maxLength: 30 }),
    isTag: fc.boolean(),
    isSoft: fc.boolean(),
    startedAtMs: fc.maxSafeNat(),
    version: fc.maxSafeNat(),
  })
  .map(({ text, isTag, ...mark }) =>
    newPurge(isTag ? { ...mark, prefix: '', tag: text } : { ...mark, prefix: text }),
  );

describe('the record of a purge', () => {
  it('gives back what it selects, its kind and its time', () => {
    fc.assert(
      fc.property(stored, (purge) => {
        assert.deepEqual(decodePurge(purge.version, encodePurge(purge)), purge);
      }),
    );
  });

  it('that has another version, flag or byte is refused', () => {
    fc.assert(
      fc.property(stored, fc.nat(), fc.integer({ min: 1, max: 255 }), (purge, at, flip) => {
        const bytes = encodePurge(purge);
        const other = (purge.version + 1) % Number.MAX_SAFE_INTEGER;
        assert.throws(() => decodePurge(other, bytes), DamagedValueError);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
        let decoded: Purge | undefined;
        try {
          decoded = decodePurge(purge.version, bytes);
        } catch (error) {
          assert.ok(error instanceof DamagedValueError);
        }
        if (decoded !== undefined) assert.deepEqual(decoded, purge);
      }),
    );
  });

  it('that is damaged is refused', () => {
    for (const bytes of [[0x92, 1, 2], [0x90], [0x92, 0xa1, 0x61, 0xa1, 0x61]]) {
      assert.throws(() => decodePurge(1, Buffer.from(bytes)), DamagedValueError);
    }
    assert.throws(() => decodePurge(1, Buffer.alloc(0)));
  });
});

describe('the report of a purge', () => {
  it('gives back its figures, and is nothing when it is damaged', () => {
    fc.assert(
      fc.property(stored, fc.nat(), (purge, at) => {
        const figures = { matched: 1, removed: 2, bytes: 2 ** 40, costMs: 4, finishedAtMs: 5 };
        const report = { ...purge, ...figures };
        const bytes = encodeReport(report);
        assert.deepEqual(decodeReport(purge.version, bytes), report);
        assert.equal(decodeReport((purge.version + 1) % 2 ** 50, bytes), undefined);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
        assert.notDeepEqual(decodeReport(purge.version, bytes.subarray(0, -1)), report);
        assert.equal(decodeReport(purge.version, bytes), undefined);
      }),
    );
  });
});
