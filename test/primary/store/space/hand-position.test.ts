/** The position of the hand as it lies in the index: whole, or not believed at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { pack } from 'msgpackr';
import {
  decodeHandPosition,
  encodeHandPosition,
  type HandPosition,
  type PassPosition,
} from '../../../../src/primary/store/space/hand-position.ts';

const NOWHERE = { purging: undefined, round: undefined };
const pass: fc.Arbitrary<PassPosition> = fc.record(
  {
    upTo: fc.maxSafeNat(),
    at: fc.uint8Array({ maxLength: 50 }).map((rest) => Buffer.from([0x65, ...rest])),
    startedAtMs: fc.maxSafeNat(),
    scanned: fc.maxSafeNat(),
    removed: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);
const position: fc.Arbitrary<HandPosition> = fc.record(
  {
    purging: fc.option(pass, { nil: undefined }),
    round: fc.option(pass, { nil: undefined }),
  },
  { noNullPrototype: true },
);

function sealed(value: unknown): Buffer {
  const fields = pack(value);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(fields));
  return Buffer.concat([checksum, fields]);
}

describe('the position of the hand', () => {
  it('comes back as it was saved', () => {
    fc.assert(
      fc.property(position, (saved) => {
        assert.deepEqual(decodeHandPosition(encodeHandPosition(saved)), saved);
      }),
    );
  });

  it('is nowhere when a bit of it is wrong, when it is cut, or when it was never saved', () => {
    assert.deepEqual(decodeHandPosition(undefined), NOWHERE);
    fc.assert(
      fc.property(position, fc.nat(), (saved, bit) => {
        const encoded = encodeHandPosition(saved);
        const at = (bit >> 3) % encoded.length;
        assert.deepEqual(decodeHandPosition(encoded.subarray(0, at)), NOWHERE);
        encoded.writeUInt8(encoded.readUInt8(at) ^ (1 << (bit & 7)), at);
        assert.deepEqual(decodeHandPosition(encoded), NOWHERE);
      }),
    );
  });

  it('is nowhere when it is something else under a right checksum', () => {
    const at = Buffer.from('ea');
    const foreign: unknown[] = [
      null,
      {},
      'text',
      [],
      [1, 2],
      [[1, at, 1, 1], null],
      [[-1, at, 1, 1, 1], null],
      [[1.5, at, 1, 1, 1], null],
      [[1, 'ea', 1, 1, 1], null],
      [[1, Buffer.from('d'), 1, 1, 1], null],
      [[1, Buffer.from('fa'), 1, 1, 1], null],
      [[1, Buffer.alloc(9000, 'e'), 1, 1, 1], null],
      [
        [1, at, null, 1, 1],
        [1, at, 1, '1', 1],
      ],
    ];
    for (const value of foreign) assert.deepEqual(decodeHandPosition(sealed(value)), NOWHERE);
    const notMsgpack = Buffer.from([0, 0, 0, 0, 0xc1]);
    notMsgpack.writeUInt32LE(crc32(notMsgpack.subarray(4)));
    assert.deepEqual(decodeHandPosition(notMsgpack), NOWHERE);
  });
});
