import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createGunzip, createGzip, gunzipSync, gzipSync } from 'node:zlib';
import { pump } from '../../../src/segments/compression/pump.ts';
import { inPieces, pattern } from '../../workers/store/store-subject.ts';

async function all(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const taken: Buffer[] = [];
  for await (const piece of pieces) taken.push(piece);
  return Buffer.concat(taken);
}

describe('pieces through a stream of zlib', () => {
  it('come out as they should, though each is overwritten once the next is asked for', async () => {
    const body = pattern(700_000);
    const packed = await all(pump(createGzip(), inPieces(body, 50_001)));
    assert.ok(gunzipSync(packed).equals(body));
    assert.ok((await all(pump(createGunzip(), inPieces(packed, 9_999)))).equals(body));
  });

  it('are made as they are wanted: a bomb is not inflated ahead', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const stream = createGunzip({ chunkSize: 64 * 1024 });
    let taken = 0;
    for await (const piece of pump(stream, inPieces(bomb, bomb.length))) {
      taken += piece.length;
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(stream.readableLength <= 128 * 1024, `${stream.readableLength} bytes wait`);
      if (taken >= 1024 * 1024) break;
    }
    assert.ok(stream.destroyed);
  });

  it('end with what the source fails with', async () => {
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(100_000, 'x');
      throw new Error('the client left');
    }
    await assert.rejects(all(pump(createGzip(), failing())), /the client left/);
  });

  it('end with what zlib fails with', async () => {
    const nonsense = inPieces(Buffer.from('this is no gzip at all'), 5);
    await assert.rejects(all(pump(createGunzip(), nonsense)), { code: 'Z_DATA_ERROR' });
    const cut = gzipSync(pattern(10_000)).subarray(0, 5000);
    await assert.rejects(all(pump(createGunzip(), inPieces(cut, 700))), { code: 'Z_BUF_ERROR' });
  });

  it('let go of the source when the reader leaves half way', async () => {
    let isOver = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield pattern(100_000);
      } finally {
        isOver = true;
      }
    }
    for await (const piece of pump(createGzip(), source())) {
      assert.ok(piece.length > 0);
      break;
    }
    for (let turn = 0; turn < 100 && !isOver; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(isOver);
  });
});
