/** The stretches of the hand: together they are what all purges are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  entryKey,
  entryRange,
  type KeyRange,
} from '../../../../src/primary/store/index/index-keys.ts';
import { purgesFrom } from '../../../../src/primary/store/purges/purges.ts';
import { joinRanges } from '../../../../src/primary/store/space/key-ranges.ts';
import {
  type PurgeMark,
  type Stretch,
  stretchesOf,
} from '../../../../src/primary/store/space/stretches.ts';

import { stampVersion } from '../../../../src/protocol/record.ts';
import { recordOf } from '../store-setup.ts';

const LETTERS = ['a', 'b', '/', '한', '\u{10FFFF}'];
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...LETTERS), maxLength });
/** Purges in the order of their versions. */
const purges: fc.Arbitrary<PurgeMark[]> = fc
  .array(text(3), { maxLength: 20 })
  .map((prefixes) => prefixes.map((prefix, nth) => ({ version: 10 * (nth + 1), prefix })));

const rangesOf = (stretches: readonly Stretch[]): KeyRange[] =>
  stretches.flatMap(({ ranges }) => ranges);

function isTaken(marks: readonly PurgeMark[], key: string, version: number): boolean {
  const record = recordOf(key);
  stampVersion(Buffer.from(key), record, version);
  return purgesFrom(0, marks).isPurged(key, record);
}

describe('the stretches of purges', () => {
  it('are in order, and hold just the keys of the purges', () => {
    fc.assert(
      fc.property(purges, fc.integer({ min: 1, max: 6 }), (marks, purgesMax) => {
        const ranges = rangesOf(stretchesOf(marks, purgesMax));
        const all = joinRanges(marks.map(({ prefix }) => entryRange(prefix)));
        assert.deepEqual(joinRanges(ranges), all);
        ranges.slice(1).forEach(({ gte }, nth) => {
          assert.ok(gte.compare(ranges[nth]?.lt as Buffer) >= 0, 'none overlaps the one before');
        });
      }),
    );
  });

  it('judge each entry as all purges would', () => {
    const entry = fc.record({ key: text(4), version: fc.integer({ min: 1, max: 210 }) });
    fc.assert(
      fc.property(
        purges,
        fc.integer({ min: 1, max: 6 }),
        fc.array(entry, { minLength: 1, maxLength: 20 }),
        (marks, purgesMax, entries) => {
          const stretches = stretchesOf(marks, purgesMax);
          for (const { key, version } of entries) {
            const at = entryKey(key);
            const stretch = stretches.find(({ ranges }) =>
              ranges.some(({ gte, lt }) => at.compare(gte) >= 0 && at.compare(lt) < 0),
            );
            assert.equal(
              stretch !== undefined && isTaken(stretch.purges, key, version),
              isTaken(marks, key, version),
              `${key} of ${version}`,
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('have few purges each, beside those that reach into them', () => {
    const marks = [
      { version: 1, prefix: 'p/' },
      ...Array.from({ length: 1000 }, (_, nth) => ({ version: nth + 2, prefix: `p/${nth}/` })),
    ];
    const stretches = stretchesOf(marks);
    assert.equal(stretches.length, 4);
    assert.ok(stretches.every((stretch) => stretch.purges.length <= 257));
    assert.ok(stretches.every((stretch) => stretch.purges.some(({ prefix }) => prefix === 'p/')));
  });

  it('leave out what a newer and wider purge outdoes', () => {
    const [stretch, ...others] = stretchesOf([
      { version: 1, prefix: 'a/b/c' },
      { version: 2, prefix: 'a/' },
      { version: 3, prefix: 'a/b' },
      { version: 4, prefix: 'a/b' },
      { version: 5, prefix: 'a/d' },
    ]);
    assert.deepEqual(others, []);
    assert.deepEqual(stretch, {
      ranges: [entryRange('a/')],
      purges: [
        { version: 2, prefix: 'a/' },
        { version: 4, prefix: 'a/b' },
        { version: 5, prefix: 'a/d' },
      ],
    });
  });
});
