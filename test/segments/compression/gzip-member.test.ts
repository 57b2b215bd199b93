import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constants, crc32, deflateRawSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { combinedCrc32 } from '../../../src/segments/compression/crc32-combine.ts';
import {
  MEMBER_HEADER,
  MemberSplice,
  memberTail,
} from '../../../src/segments/compression/gzip-member.ts';

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

function memberOf(body: Buffer): Buffer {
  const blocks = deflateRawSync(body, { finishFlush: constants.Z_SYNC_FLUSH });
  return Buffer.concat([MEMBER_HEADER, blocks, memberTail(crc32(body), body.length)]);
}

function spliced(prologue: Buffer, member: Buffer, epilogue: Buffer, plainBytes: number): Buffer {
  const splice = new MemberSplice(prologue, epilogue);
  const whole = Buffer.concat([splice.before, member, splice.after]);
  splice.finish(whole, plainBytes);
  return whole;
}

describe('the crc32 of two pieces', () => {
  it('is that of both together', () => {
    fc.assert(
      fc.property(bytes(600), bytes(600), (first, second) => {
        const together = crc32(Buffer.concat([first, second]));
        assert.equal(combinedCrc32(crc32(first), crc32(second), second.length), together);
      }),
    );
  });

  it('is right for second pieces of any length', () => {
    const first = Buffer.from('first');
    for (const length of [255, 256, 257, 65_536, 1_000_003]) {
      const second = Buffer.alloc(length, 'second');
      const together = crc32(second, crc32(first));
      assert.equal(combinedCrc32(crc32(first), crc32(second), length), together, `${length}`);
    }
  });

  it('counts a length beyond 2^32 whole', () => {
    // 8 GiB of zero bytes, told from the sum of 4 GiB of them.
    let zeros = crc32(Buffer.alloc(1));
    for (let bytes = 1; bytes < 2 ** 33; bytes *= 2) zeros = combinedCrc32(zeros, zeros, bytes);
    const halves = combinedCrc32(zeros, zeros, 2 ** 33);
    const one = crc32(Buffer.from('1'));
    const stepwise = combinedCrc32(combinedCrc32(one, zeros, 2 ** 33), zeros, 2 ** 33);
    assert.equal(combinedCrc32(one, halves, 2 ** 34), stepwise);
  });
});

describe('a gzip member as bodies are stored', () => {
  it('is read by any gunzip, and the same for the same body', () => {
    fc.assert(
      fc.property(bytes(3000), (body) => {
        const member = memberOf(body);
        assert.deepEqual(gunzipSync(member), body);
        assert.deepEqual(memberOf(body), member);
      }),
    );
  });

  it('becomes one member with what is put around it', () => {
    fc.assert(
      fc.property(bytes(200), bytes(2000), bytes(200), (prologue, body, epilogue) => {
        const whole = spliced(prologue, memberOf(body), epilogue, body.length);
        assert.deepEqual(gunzipSync(whole), Buffer.concat([prologue, body, epilogue]));
      }),
    );
  });

  it('takes up to 65,535 bytes on each side, and no more', () => {
    const body = Buffer.from('value');
    const long = Buffer.alloc(65_535, 'x');
    const whole = spliced(long, memberOf(body), long, body.length);
    assert.deepEqual(gunzipSync(whole), Buffer.concat([long, body, long]));
    assert.throws(() => new MemberSplice(Buffer.alloc(65_536), Buffer.alloc(0)), /INVARIANT/);
  });

  it('is found wrong where the stored member was of another body', () => {
    const splice = new MemberSplice(Buffer.from('['), Buffer.from(']'));
    const whole = Buffer.concat([splice.before, memberOf(Buffer.from('abc')), splice.after]);
    splice.finish(whole, 4);
    assert.throws(() => gunzipSync(whole));
  });
});
