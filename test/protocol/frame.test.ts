import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_HEAD_BYTES,
  FrameDecoder,
  ProtocolError,
} from '../../src/protocol/frame.ts';

function decodeAll(decoder: FrameDecoder, chunks: readonly Buffer[]): Buffer[] {
  const payloads: Buffer[] = [];
  for (const chunk of chunks) decoder.push(chunk, (payload) => payloads.push(Buffer.from(payload)));
  return payloads;
}

function head(length: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES);
  bytes.writeUInt32LE(length);
  return bytes;
}

describe('a frame', () => {
  it('comes out as it went in, at every split of the stream', () => {
    const payload = Buffer.from('some payload');
    const frame = encodeFrame(payload);
    for (let split = 0; split <= frame.length; split++) {
      const chunks = [frame.subarray(0, split), frame.subarray(split)];
      assert.deepEqual(decodeAll(new FrameDecoder(), chunks), [payload]);
    }
  });

  it('comes out byte by byte', () => {
    const payload = Buffer.from('abc');
    const bytes = [...encodeFrame(payload)].map((byte) => Buffer.from([byte]));
    assert.deepEqual(decodeAll(new FrameDecoder(), bytes), [payload]);
  });

  it('keeps order and content for any payloads in any chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        (payloads, sizes) => {
          const stream = Buffer.concat(payloads.map((payload) => encodeFrame(payload)));
          const chunks: Buffer[] = [];
          for (let at = 0, nth = 0; at < stream.length; nth++) {
            const size = sizes[nth % sizes.length] ?? 1;
            chunks.push(stream.subarray(at, at + size));
            at += size;
          }
          const decoder = new FrameDecoder();
          assert.deepEqual(
            decodeAll(decoder, chunks),
            payloads.map((one) => Buffer.from(one)),
          );
          assert.equal(decoder.isAtBoundary, true);
        },
      ),
    );
  });

  it('is refused when it is empty or over the cap', () => {
    for (const length of [0, FRAME_BYTES_MAX + 1, 0xffff_ffff]) {
      assert.throws(() => decodeAll(new FrameDecoder(), [head(length)]), ProtocolError);
    }
    assert.throws(() => encodeFrame(Buffer.alloc(0)), RangeError);
    assert.throws(() => encodeFrame(Buffer.alloc(FRAME_BYTES_MAX + 1)), RangeError);
  });

  it('that is cut short leaves the decoder inside a frame', () => {
    const decoder = new FrameDecoder();
    assert.deepEqual(decodeAll(decoder, [encodeFrame(Buffer.from('abc')).subarray(0, 5)]), []);
    assert.equal(decoder.isAtBoundary, false);
  });
});
