/** Sets of keys as ranges, compared with the keys themselves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KeyRange } from '../../../../src/primary/store/index/index-keys.ts';
import {
  clipRanges,
  joinRanges,
  successor,
} from '../../../../src/primary/store/space/key-ranges.ts';

/** Keys of up to two bytes out of four, and all of them, so that ranges often touch. */
const BYTES = [0x00, 0x61, 0x62, 0xff];
const ALL_KEYS = [
  Buffer.alloc(0),
  ...BYTES.map((byte) => Buffer.from([byte])),
  ...BYTES.flatMap((first) => BYTES.map((second) => Buffer.from([first, second]))),
];
const range: fc.Arbitrary<KeyRange> = fc.record({
  gte: fc.constantFrom(...ALL_KEYS),
  lt: fc.constantFrom(...ALL_KEYS),
});

const isIn = (key: Buffer, { gte, lt }: KeyRange): boolean =>
  key.compare(gte) >= 0 && key.compare(lt) < 0;
const keysIn = (ranges: readonly KeyRange[]): string[] =>
  ALL_KEYS.filter((key) => ranges.some((one) => isIn(key, one))).map((key) => key.toString('hex'));

describe('ranges that are joined', () => {
  it('hold the same keys, stand in order, and do not touch each other', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
        const before = ranges.map(({ gte, lt }) => [gte, lt]);
        const joined = joinRanges(ranges);
        assert.deepEqual(keysIn(joined), keysIn(ranges));
        for (const { gte, lt } of joined) assert.ok(gte.compare(lt) < 0);
        joined.slice(1).forEach(({ gte }, nth) => {
          assert.ok(gte.compare(joined[nth]?.lt as Buffer) > 0);
        });
        assert.deepEqual(
          ranges.map(({ gte, lt }) => [gte, lt]),
          before,
          'what was given is left as it was',
        );
      }),
    );
  });
});

describe('ranges that are clipped', () => {
  it('hold what they held within the bounds', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), range, (ranges, bounds) => {
        const clipped = clipRanges(ranges, bounds);
        assert.deepEqual(
          keysIn(clipped),
          keysIn(ranges).filter((key) => isIn(Buffer.from(key, 'hex'), bounds)),
        );
        for (const { gte, lt } of clipped) assert.ok(gte.compare(lt) < 0);
      }),
    );
  });
});

describe('the successor of a key', () => {
  it('is the smallest key after it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5 }),
        fc.uint8Array({ maxLength: 6 }),
        (one, other) => {
          const key = Buffer.from(one);
          assert.ok(successor(key).compare(key) > 0);
          if (key.compare(other) < 0) assert.ok(successor(key).compare(other) <= 0);
        },
      ),
    );
  });
});
