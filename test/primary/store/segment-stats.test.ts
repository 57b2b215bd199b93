/** The accounting of a segment as bytes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DamagedValueError } from '../../../src/primary/store/index/index-keys.ts';
import {
  decodeSegmentStats,
  encodeSegmentStats,
  newSegmentStats,
  SegmentState,
  type SegmentStats,
} from '../../../src/primary/store/segment-stats.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

const stats: fc.Arbitrary<SegmentStats> = fc.record(
  {
    id: uint32,
    writer: uint32,
    state: fc.constantFrom(...Object.values(SegmentState)),
    agedFromMs: fc.maxSafeNat(),
    bytesWritten: fc.maxSafeNat(),
    bytesStreamed: fc.constant(0),
    bytesLive: fc.maxSafeNat(),
    records: fc.maxSafeNat(),
    lastVersion: fc.maxSafeNat(),
    fileBytes: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);

describe('the accounting of a segment', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(stats, (written) => {
        assert.deepEqual(decodeSegmentStats(written.id, encodeSegmentStats(written)), written);
      }),
    );
  });

  it('begins open, for its writer, with nothing in it', () => {
    const { id, writer, state, agedFromMs, fileBytes, ...rest } = newSegmentStats(5, 2, 99, 4096);
    assert.deepEqual([id, writer, state], [5, 2, SegmentState.open]);
    assert.deepEqual([agedFromMs, fileBytes], [99, 4096]);
    const nothing = { bytesWritten: 0, bytesStreamed: 0, bytesLive: 0, records: 0, lastVersion: 0 };
    assert.deepEqual(rest, nothing);
  });

  it('that is cut short is refused', () => {
    const bytes = encodeSegmentStats(newSegmentStats(5, 2, 99, 0));
    for (const length of [0, 8, 47]) {
      assert.throws(() => decodeSegmentStats(5, bytes.subarray(0, length)), DamagedValueError);
    }
  });
});
