/** The store contract: bodies in the encoding in which they are stored, and plain, whatever that is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { EntryMeta } from '../../../src/protocol/record.ts';
import type { Framing, Hit } from '../../../src/workers/store/store.ts';
import {
  assertBytes,
  bytesOf,
  inPieces,
  JSON_META,
  pattern,
  RAW_META,
  read,
  type Subject,
} from './store-subject.ts';

const MiB = 1024 * 1024;
const EMPTY = Buffer.alloc(0);
const HTML: EntryMeta = { ...RAW_META, contentType: 'text/html; charset=utf-8' };
const FRAMES = [
  { prologue: EMPTY, epilogue: EMPTY },
  { prologue: Buffer.from('{"key":"k","value":'), epilogue: Buffer.from(',"expire":null}') },
  { prologue: Buffer.from('['), epilogue: EMPTY },
  { prologue: EMPTY, epilogue: Buffer.alloc(60_000, ']') },
];

const LINE_BYTES = 26;

/** Text as pages are: tags that come again, around what does not. Gzip makes 0.4 to 0.5 of it. */
export function pageOf(byteLength: number, seed = 1): Buffer {
  const lines = Math.ceil(byteLength / LINE_BYTES);
  const digits = pattern(lines * 8, seed).toString('hex');
  const text = Array.from(
    { length: lines },
    (_, nth) => `<td>${digits.slice(nth * 16, nth * 16 + 16)}</td>\n`,
  );
  return Buffer.from(text.join('').slice(0, byteLength));
}

export function compression(subject: Subject): void {
  async function hitOf(key: string, framing: Framing): Promise<Hit> {
    const found = await subject().store.get(key, { frame: () => framing });
    assert.ok(found.found);
    return found;
  }

  for (const byteLength of [1024, 5000, 40_000, 300_000, MiB + 1, 3 * MiB]) {
    test(`a page of ${byteLength} bytes is the same encoded, plain, and in any frame`, async () => {
      const { store, unreleased } = subject();
      const page = pageOf(byteLength);
      const stored = await store.put('page', HTML, inPieces(page, 70_001));
      assert.equal(stored.plainBytes, byteLength);
      assertBytes(await read(store, 'page'), page, 'plain');
      for (const { prologue, epilogue } of FRAMES) {
        const whole = Buffer.concat([prologue, page, epilogue]);
        const encoded = await hitOf('page', { prologue, epilogue, encoded: true });
        const { plainBytes, storedBytes, contentEncoding } = encoded.record;
        const bytes = await bytesOf(encoded.content);
        const decoded = contentEncoding === null ? bytes : gunzipSync(bytes);
        assertBytes(decoded, whole, `encoded, around ${prologue}`);
        assert.equal(plainBytes, byteLength);
        assert.ok(contentEncoding === null || storedBytes < plainBytes * 0.7);
        const plain = await hitOf('page', { prologue, epilogue });
        assertBytes(await bytesOf(plain.content), whole, `plain, around ${prologue}`);
      }
      assert.equal(unreleased?.() ?? 0, 0);
    });

    test(`parts of a page of ${byteLength} bytes are parts of the form that is asked for`, async () => {
      const { store, unreleased } = subject();
      const page = pageOf(byteLength, 5);
      await store.put('parts', HTML, Buffer.from(page));
      const all = await hitOf('parts', { prologue: EMPTY, epilogue: EMPTY, encoded: true });
      const encodedBytes = await bytesOf(all.content);
      for (const [form, encoded] of [
        [page, false],
        [encodedBytes, true],
      ] as const) {
        const half = Math.floor(form.length / 2);
        const ranges = [
          [0, 1],
          [half, half + 100],
          [form.length - 1, form.length],
          [0, form.length],
        ] as const;
        for (const [start, end] of ranges) {
          const range = { start, end };
          const part = await hitOf('parts', { prologue: EMPTY, epilogue: EMPTY, encoded, range });
          const what = `${start} to ${end}, encoded ${encoded}`;
          assertBytes(await bytesOf(part.content), form.subarray(start, end), what);
        }
      }
      assert.equal(unreleased?.() ?? 0, 0);
    });
  }

  test('what does not pay is stored as it is, and comes back so to all', async () => {
    const { store } = subject();
    const bodies = [
      { meta: HTML, body: pageOf(1023) },
      { meta: HTML, body: pattern(5000) },
      { meta: { ...RAW_META, contentType: 'image/png' }, body: pageOf(5000) },
      { meta: { ...RAW_META, contentType: null }, body: pattern(3 * MiB) },
    ];
    for (const { meta, body } of bodies) {
      await store.put('plain', meta, Buffer.from(body));
      const hit = await hitOf('plain', { prologue: EMPTY, epilogue: EMPTY, encoded: true });
      assert.equal(hit.record.contentEncoding, null);
      assert.equal(hit.record.storedBytes, body.length);
      assertBytes(await bytesOf(hit.content), body, `${meta.contentType}`);
    }
  });

  test('the same content has the same hash, however it is stored', async () => {
    const { store } = subject();
    const page = pageOf(20_000);
    const asPage = await store.put('hash/1', HTML, Buffer.from(page));
    const png = { ...RAW_META, contentType: 'image/png' };
    const asImage = await store.put('hash/2', png, Buffer.from(page));
    const asJson = await store.put('hash/3', JSON_META, inPieces(page, 999));
    assert.ok(asPage.contentHash.equals(asImage.contentHash));
    assert.ok(asPage.contentHash.equals(asJson.contentHash));
  });

  test('a reader of a long encoded body that stops half way holds nothing up', async () => {
    const { store, unreleased } = subject();
    await store.put('half-read', HTML, pageOf(3 * MiB));
    for (const encoded of [false, true]) {
      const frame = FRAMES[1] ?? { prologue: EMPTY, epilogue: EMPTY };
      const hit = await hitOf('half-read', { ...frame, encoded });
      let pieces = 0;
      for await (const piece of hit.content.chunks()) {
        assert.ok(piece.length > 0);
        pieces += 1;
        if (pieces === 3) break;
      }
      hit.content.release();
    }
    assertBytes(await read(store, 'half-read'), pageOf(3 * MiB), 'the next reader');
    assert.equal(unreleased?.() ?? 0, 0);
  });
}
