import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Kind } from '../../../src/protocol/record.ts';
import { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { pageOf } from '../../workers/store/contract-compression.ts';
import { inPieces, pattern } from '../../workers/store/store-subject.ts';

const HTML = { kind: Kind.raw, contentType: 'text/html' };
const UNKNOWN = { kind: Kind.raw, contentType: null };
const MiB = 1024 * 1024;

async function joined(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const taken: Buffer[] = [];
  for await (const piece of pieces) taken.push(Buffer.from(piece));
  return Buffer.concat(taken);
}

describe('the encoder of bodies', () => {
  it('begins with bodies of 1 KiB', async () => {
    const encoder = new BodyEncoder();
    assert.equal(await encoder.encode(HTML, pageOf(1023)), undefined);
    const encoded = await encoder.encode(HTML, pageOf(1024));
    assert.ok(encoded !== undefined && gunzipSync(encoded).equals(pageOf(1024)));
  });

  it('does short bodies at once and others in a thread, with the same result', async () => {
    const encoder = new BodyEncoder();
    for (const length of [32 * 1024, 32 * 1024 + 1, MiB]) {
      const encoding = encoder.encode(HTML, pageOf(length));
      assert.equal(encoding instanceof Promise, length > 32 * 1024);
      const encoded = await encoding;
      assert.ok(encoded !== undefined && gunzipSync(encoded).equals(pageOf(length)));
    }
  });

  it('keeps nothing that is not a tenth shorter', async () => {
    const encoder = new BodyEncoder();
    assert.equal(await encoder.encode(HTML, pattern(5000)), undefined);
    const hardly = Buffer.concat([pattern(9500), Buffer.alloc(500)]);
    assert.equal(await encoder.encode(HTML, hardly), undefined);
    const enough = Buffer.concat([pattern(7500), Buffer.alloc(2500)]);
    assert.ok((await encoder.encode(HTML, enough)) !== undefined);
  });

  it('judges bodies of no known type by their bytes', async () => {
    const encoder = new BodyEncoder();
    assert.ok((await encoder.encode(UNKNOWN, pageOf(5000))) !== undefined);
    assert.equal(await encoder.encode(UNKNOWN, pattern(5000)), undefined);
    const image = { kind: Kind.raw, contentType: 'image/png' };
    assert.equal(await encoder.encode(image, pageOf(5000)), undefined);
  });

  it('encodes long bodies as they pass, at most eight at once', async () => {
    const encoder = new BodyEncoder();
    const page = pageOf(300_000);
    const start = page.subarray(0, 100_000);
    const begin = () => encoder.encodeStream(HTML, start, inPieces(page, 70_000));
    const streams = Array.from({ length: 8 }, begin);
    assert.equal(encoder.streams, 8);
    assert.equal(begin(), undefined);
    for (const stream of streams) {
      assert.ok(stream !== undefined);
      assert.ok(gunzipSync(await joined(stream)).equals(page));
    }
    assert.equal(encoder.streams, 0);
    assert.equal(encoder.encodeStream(HTML, pattern(MiB), inPieces(page, MiB)), undefined);
  });

  it('gives the place of a long body back that breaks off, or that nobody reads on', async () => {
    const encoder = new BodyEncoder();
    async function* breaking(): AsyncGenerator<Buffer> {
      yield pageOf(MiB);
      throw new Error('broken off');
    }
    const broken = encoder.encodeStream(HTML, pageOf(MiB), breaking());
    assert.ok(broken !== undefined);
    await assert.rejects(joined(broken), /broken off/);
    const left = encoder.encodeStream(HTML, pageOf(MiB), inPieces(pageOf(MiB), 100_000));
    await left?.next();
    await left?.return(undefined);
    assert.equal(encoder.streams, 0);
  });
});
