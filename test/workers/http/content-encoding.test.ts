import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { codingOf, decoded } from '../../../src/workers/http/content-encoding.ts';
import { inPieces, rejectsWith } from '../store/store-subject.ts';

/** Not at brotli's own level, which takes seconds for a bomb. */
const brotli = (body: Buffer): Buffer =>
  brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
const ENCODERS = { gzip: gzipSync, 'x-gzip': gzipSync, deflate: deflateSync, br: brotli };
const CODINGS = Object.keys(ENCODERS) as (keyof typeof ENCODERS)[];
const PLAIN = Buffer.from('<p>a page that was compressed before it was sent</p>\n'.repeat(300));

async function plainOf(
  bytes: Buffer,
  coding: string,
  plainBytesMax = 1_000_000,
  pieceBytes = 100,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const source = inPieces(bytes, pieceBytes);
  for await (const piece of decoded(source, coding, plainBytesMax)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('the coding of a body', () => {
  it('is one that is known, or none', () => {
    const of = (coding: string | undefined) => codingOf({ 'content-encoding': coding });
    assert.equal(of(undefined), undefined);
    assert.equal(of('Identity'), undefined);
    assert.equal(of(' GZIP '), 'gzip');
    for (const coding of CODINGS) assert.equal(of(coding), coding);
    for (const coding of ['', 'zip', 'gzip, br', 'gzip, gzip', 'compress', 'identity, gzip']) {
      const refused = (error: unknown): boolean =>
        error instanceof BigCacheError && error.code === 'MEDIA_TYPE_UNSUPPORTED';
      assert.throws(() => of(coding), refused, coding);
    }
  });
});

describe('an encoded body', () => {
  for (const coding of CODINGS) {
    const encode = ENCODERS[coding];

    it(`in ${coding} is decoded, in pieces of any size`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 3000 }),
          fc.integer({ min: 1, max: 500 }),
          async (array, pieceBytes) => {
            const body = Buffer.from(array);
            const plain = await plainOf(encode(body), coding, 3000, pieceBytes);
            assert.ok(plain.equals(body));
          },
        ),
        { numRuns: 15 },
      );
    });

    it(`in ${coding} is refused where it is cut off, empty, or followed by anything`, async () => {
      const encoded = encode(PLAIN);
      for (const length of [0, 1, 5, encoded.length - 1]) {
        const cut = encoded.subarray(0, length);
        await rejectsWith(plainOf(cut, coding), 'CONTENT_ENCODING_INVALID');
      }
      for (const more of [Buffer.alloc(1), Buffer.alloc(500), Buffer.from('more of it')]) {
        for (const pieceBytes of [encoded.length, 100, 10_000]) {
          const long = Buffer.concat([encoded, more]);
          const reading = plainOf(long, coding, 1_000_000, pieceBytes);
          await rejectsWith(reading, 'CONTENT_ENCODING_INVALID');
        }
      }
      await rejectsWith(plainOf(PLAIN, coding), 'CONTENT_ENCODING_INVALID');
    });

    it(`in ${coding} has as many plain bytes as are allowed, and no more`, async () => {
      const encoded = encode(PLAIN);
      assert.ok((await plainOf(encoded, coding, PLAIN.length)).equals(PLAIN));
      await rejectsWith(plainOf(encoded, coding, PLAIN.length - 1), 'BODY_TOO_LARGE');
    });

    it(`in ${coding} that is a bomb ends at the limit`, async () => {
      const bomb = encode(Buffer.alloc(4 * 1024 * 1024));
      let taken = 0;
      const reading = (async () => {
        for await (const piece of decoded(inPieces(bomb, 50_000), coding, 1_000_000)) {
          taken += piece.length;
        }
      })();
      await rejectsWith(reading, 'BODY_TOO_LARGE');
      assert.ok(taken <= 1_000_000);
    });
  }

  it('is refused where a checksum is wrong', async () => {
    for (const coding of ['gzip', 'deflate'] as const) {
      const encoded = ENCODERS[coding](PLAIN);
      const at = encoded.length - 5;
      encoded[at] = (encoded[at] ?? 0) ^ 1;
      await rejectsWith(plainOf(encoded, coding), 'CONTENT_ENCODING_INVALID');
    }
  });

  it('ends with what its upload fails with', async () => {
    async function* stalling(): AsyncGenerator<Buffer> {
      yield gzipSync(PLAIN).subarray(0, 100);
      throw new BigCacheError('REQUEST_TIMEOUT');
    }
    const reading = (async () => {
      for await (const piece of decoded(stalling(), 'gzip', 1_000_000)) assert.ok(piece.length);
    })();
    await rejectsWith(reading, 'REQUEST_TIMEOUT');
  });

  it('may have several members in gzip, which are one body', async () => {
    const members = Buffer.concat([gzipSync('one, '), gzipSync('two')]);
    assert.equal((await plainOf(members, 'gzip', 100, 7)).toString(), 'one, two');
  });
});
