/** The keys of the index: what a range holds, and in which order keys stand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeNumber,
  encodeNumber,
  entryKey,
  entryRange,
  type KeyRange,
  keyOfEntryKey,
  metaKey,
  PURGE_RANGE,
  purgeKey,
  SEGMENT_RANGE,
  segmentIdOfKey,
  segmentKey,
  versionOfPurgeKey,
} from '../../../../src/primary/store/index/index-keys.ts';

/** Text of few characters, so that one begins with the other often, and of the last code points. */
const text = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      '/',
      '\u0000',
      '한',
      '\uffff',
      '\u{1F418}',
      '\u{10FFFE}',
      '\u{10FFFF}',
    ),
    {
      maxLength: 6,
    },
  )
  .map((characters) => characters.join(''));
const anyText = fc.oneof(text, fc.string({ unit: 'binary', maxLength: 12 }));

const holds = (range: KeyRange, key: Buffer): boolean =>
  Buffer.compare(range.gte, key) <= 0 && Buffer.compare(key, range.lt) < 0;

describe('the range of a prefix', () => {
  it('holds exactly the entries whose key begins with it', () => {
    fc.assert(
      fc.property(anyText, anyText, (prefix, key) => {
        assert.equal(holds(entryRange(prefix), entryKey(key)), key.startsWith(prefix));
        assert.ok(holds(entryRange(prefix), entryKey(prefix + key)));
      }),
      { numRuns: 1000 },
    );
  });

  it('holds no key of another kind', () => {
    fc.assert(
      fc.property(
        anyText,
        fc.maxSafeNat(),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (prefix, version, id) => {
          for (const key of [
            purgeKey(version),
            segmentKey(id),
            metaKey('count'),
            metaKey('clear'),
          ]) {
            assert.ok(!holds(entryRange(prefix), key));
          }
          assert.ok(holds(PURGE_RANGE, purgeKey(version)));
          assert.ok(holds(SEGMENT_RANGE, segmentKey(id)));
          assert.ok(
            !holds(SEGMENT_RANGE, purgeKey(version)) && !holds(PURGE_RANGE, segmentKey(id)),
          );
        },
      ),
    );
  });
});

describe('a key of the index', () => {
  it('gives back the name that it was made of', () => {
    fc.assert(
      fc.property(
        anyText,
        fc.maxSafeNat(),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (key, version, id) => {
          assert.equal(keyOfEntryKey(entryKey(key)), key);
          assert.equal(versionOfPurgeKey(purgeKey(version)), version);
          assert.equal(segmentIdOfKey(segmentKey(id)), id);
        },
      ),
    );
  });

  it('stands in the order of versions and of ids', () => {
    const sign = (one: number, other: number): number => Math.sign(one - other);
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (one, other) => {
        assert.equal(Buffer.compare(purgeKey(one), purgeKey(other)), sign(one, other));
        const [id, otherId] = [one % 2 ** 32, other % 2 ** 32];
        assert.equal(Buffer.compare(segmentKey(id), segmentKey(otherId)), sign(id, otherId));
      }),
    );
  });
});

describe('a number of the index', () => {
  it('comes back, and is what was agreed where there is none', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        assert.equal(decodeNumber('count', encodeNumber('count', value), 7), value);
      }),
    );
    assert.equal(decodeNumber('count', undefined, 7), 7);
  });
});
