import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Kind } from '../../../src/protocol/record.ts';
import {
  compressibilityOf,
  looksCompressible,
} from '../../../src/segments/compression/media-types.ts';

const ofType = (contentType: string | null) => compressibilityOf({ kind: Kind.raw, contentType });

describe('what a Content-Type says of compression', () => {
  it('is that text in any form is worth it', () => {
    const types = [
      ...['text/html', 'text/plain; charset=utf-8', 'TEXT/CSS', 'text/x-anything', 'text/html;x'],
      ...['application/json', 'application/ld+json', 'application/geo+json ; a=b'],
      ...['application/xml', 'application/atom+xml', 'image/svg+xml', 'application/xhtml+xml'],
      ...['application/javascript', 'application/x-ndjson', 'application/wasm', 'font/ttf'],
    ];
    for (const type of types) assert.equal(ofType(type), 'likely', type);
    assert.equal(compressibilityOf({ kind: Kind.json, contentType: null }), 'likely');
  });

  it('is that what is compressed already is left alone', () => {
    const types = [
      ...['image/png', 'image/jpeg', 'IMAGE/WEBP', 'image/gif; q=1', 'video/mp4', 'audio/mpeg'],
      ...['font/woff2', 'application/zip', 'application/gzip', 'application/pdf', 'audio/ogg'],
      ...['application/epub+zip', 'application/zstd'],
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ];
    for (const type of types) assert.equal(ofType(type), 'never', type);
  });

  it('is nothing where there is none, or where it may be of anything', () => {
    const types = [null, 'application/octet-stream', 'application/x-tar', 'nonsense', ';', 'a/b'];
    for (const type of types) assert.equal(ofType(type), 'unknown', `${type}`);
  });
});

describe('what bytes look like', () => {
  const text = Buffer.from('A pickled page: <p>some words, and more of them</p>\n'.repeat(200));

  it('is told from a sample of their middle', () => {
    assert.ok(looksCompressible(text));
    assert.ok(looksCompressible(Buffer.alloc(100_000)));
    assert.ok(!looksCompressible(randomBytes(5000)));
    assert.ok(!looksCompressible(gzipSync(randomBytes(50_000))));
    assert.ok(!looksCompressible(Buffer.concat([text, randomBytes(50_000), text])));
  });

  it('is nothing to compress where there are none', () => {
    assert.ok(!looksCompressible(Buffer.alloc(0)));
  });
});
