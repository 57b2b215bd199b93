/** Checksums of bodies: one for each block, in the record or in a table behind the body. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BLOCK_BYTES,
  blockChecksums,
  blockCount,
  blocksMatch,
  CHECKSUM_BYTES,
  checksumMatches,
  INLINE_BLOCKS_MAX,
  recordChecksums,
  writeChecksum,
} from '../../src/segments/checksum.ts';
import { pattern } from '../workers/store/store-subject.ts';

const MiB = 1024 * 1024;

/** Body length -> number of its blocks. */
const SIZES: readonly (readonly [bodyBytes: number, blocks: number])[] = [
  [0, 0],
  [1, 1],
  [65_535, 1],
  [65_536, 1],
  [65_537, 2],
  [MiB, 16],
  [MiB + 1, 17],
];

describe('the checksums of a body', () => {
  for (const [bodyBytes, blocks] of SIZES) {
    it(`of ${bodyBytes} bytes are ${blocks}, and match it`, () => {
      const body = pattern(bodyBytes);
      const checksums = blockChecksums(body);
      assert.equal(blockCount(bodyBytes), blocks);
      assert.equal(checksums.length, blocks * CHECKSUM_BYTES);
      assert.ok(blocksMatch(body, checksums, 0));
    });

    it(`of ${bodyBytes} bytes find a change at both ends of each block`, () => {
      const body = pattern(bodyBytes);
      const checksums = blockChecksums(body);
      for (let from = 0; from < bodyBytes; from += BLOCK_BYTES) {
        for (const at of [from, Math.min(from + BLOCK_BYTES, bodyBytes) - 1]) {
          body[at] = (body[at] ?? 0) ^ 1;
          assert.equal(blocksMatch(body, checksums, 0), false, `byte ${at}`);
          body[at] = (body[at] ?? 0) ^ 1;
        }
      }
      assert.ok(blocksMatch(body, checksums, 0));
    });
  }

  it('match a piece only from the block where it begins', () => {
    const body = pattern(5 * BLOCK_BYTES + 17);
    const checksums = blockChecksums(body);
    for (let first = 0; first < 6; first++) {
      const rest = body.subarray(first * BLOCK_BYTES);
      assert.ok(blocksMatch(rest, checksums, first));
      assert.equal(blocksMatch(rest, checksums, first + 1), false);
    }
  });

  it('do not match a body that is cut short or goes on', () => {
    const body = pattern(BLOCK_BYTES + 100);
    const checksums = blockChecksums(body);
    assert.equal(blocksMatch(body.subarray(0, BLOCK_BYTES + 99), checksums, 0), false);
    assert.equal(blocksMatch(pattern(2 * BLOCK_BYTES + 1), checksums, 0), false);
    assert.equal(blocksMatch(body, checksums.subarray(0, CHECKSUM_BYTES), 0), false);
  });

  it('stay in the record up to 1 MiB, and become the checksum of their table beyond', () => {
    const inline = blockChecksums(pattern(MiB));
    assert.equal(inline.length, INLINE_BLOCKS_MAX * CHECKSUM_BYTES);
    assert.equal(recordChecksums(inline), inline);
    const table = blockChecksums(pattern(MiB + 1));
    const ofTable = recordChecksums(table);
    assert.equal(ofTable.length, CHECKSUM_BYTES);
    assert.ok(checksumMatches(table, ofTable, 0));
    table[3] = (table[3] ?? 0) ^ 1;
    assert.equal(checksumMatches(table, ofTable, 0), false);
  });

  it('find any one changed byte, wherever it is', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (content, place, change) => {
          const into = Buffer.alloc(CHECKSUM_BYTES + 3);
          writeChecksum(content, into, 3);
          assert.ok(checksumMatches(content, into, 3));
          const at = place % content.length;
          content[at] = (content[at] ?? 0) ^ change;
          assert.equal(checksumMatches(content, into, 3), false);
        },
      ),
    );
  });
});
