/** Purges judged against a list that is gone through one by one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DamagedValueError } from '../../../src/primary/store/index/index-keys.ts';
import { decodePurge, encodePurge, type Purge, Purges } from '../../../src/primary/store/purges.ts';

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

type Step =
  | { readonly add: string }
  | { readonly clear: true }
  /** The pending purge to forget, by its place. */
  | { readonly remove: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: fc.constantFrom(...PREFIXES) }) },
  { weight: 1, arbitrary: fc.record({ clear: fc.constant(true as const) }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.nat(20) }) },
);

const purgeOf = (version: number, prefix: string): Purge => ({
  version,
  prefix,
  startedAtMs: 0,
  matched: 0,
});

describe('purges', () => {
  it('take what a list of them takes, and name the oldest that did', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const purges = new Purges();
        let pending: Purge[] = [];
        let clearVersion = 0;
        let version = 0;
        for (const one of steps) {
          version += 10;
          if ('remove' in one) {
            const gone = pending[one.remove % Math.max(1, pending.length)];
            pending = pending.filter((purge) => purge !== gone);
            purges.remove(gone?.version ?? version);
          } else {
            const purge = purgeOf(version, 'add' in one ? one.add : '');
            if ('clear' in one) clearVersion = version;
            pending.push(purge);
            purges.add(purge);
          }
          assert.equal(purges.size, pending.length);
          assert.deepEqual([...purges.pending], pending);
          assert.equal(purges.clearVersion, clearVersion);
          judgeAll(purges, pending, clearVersion, version + 10);
        }
      }),
      { numRuns: 60 },
    );
  });

  function judgeAll(
    purges: Purges,
    pending: readonly Purge[],
    clearVersion: number,
    newest: number,
  ): void {
    for (const key of KEYS) {
      for (let version = 5; version <= newest; version += 10) {
        const takers = pending.filter(
          (purge) => purge.prefix !== '' && purge.version > version && key.startsWith(purge.prefix),
        );
        const isPurged = takers.length > 0 || version <= clearVersion;
        assert.equal(purges.isPurged(key, version), isPurged, `${key} of ${version}`);
        assert.equal(purges.killerOf(key, version), takers[0], `${key} of ${version}`);
      }
    }
  }

  it('do not take an entry of their own version, which no entry can have', () => {
    const purges = new Purges();
    purges.add(purgeOf(7, 'a'));
    assert.equal(purges.isPurged('a', 7), false);
    assert.equal(purges.isPurged('a', 6), true);
  });

  it('remember a clear after it was worked off, and over a restart', () => {
    const purges = new Purges();
    purges.add(purgeOf(7, ''));
    purges.remove(7);
    assert.equal(purges.isPurged('key', 6), true);
    const restarted = new Purges();
    restarted.restoreClear(purges.clearVersion);
    restarted.restoreClear(3);
    assert.equal(restarted.isPurged('key', 7), true);
    assert.equal(restarted.isPurged('key', 8), false);
  });

  it('are pending until they are removed', () => {
    const purges = new Purges();
    const purge = purgeOf(7, 'a');
    purges.add(purge);
    assert.deepEqual([...purges.pending], [purge]);
    purges.remove(7);
    assert.deepEqual([...purges.pending], []);
  });
});

describe('the record of a purge', () => {
  it('gives back prefix and time', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        (prefix, startedAtMs, version) => {
          const purge = { version, prefix, startedAtMs, matched: 0 };
          assert.deepEqual(decodePurge(version, encodePurge(purge)), purge);
        },
      ),
    );
  });

  it('that is damaged is refused', () => {
    for (const bytes of [[0x92, 1, 2], [0x90], [0x92, 0xa1, 0x61, 0xa1, 0x61]]) {
      assert.throws(() => decodePurge(1, Buffer.from(bytes)), DamagedValueError);
    }
    assert.throws(() => decodePurge(1, Buffer.alloc(0)));
  });
});
