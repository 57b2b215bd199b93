/** Compression over HTTP: what is sent to whom, on all three faces, and what conditions and ranges know. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { fixture } from '../app-fixture.ts';
import { pageOf } from '../store/contract-compression.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { pattern } from '../store/store-subject.ts';

type Headers = Readonly<Record<string, string>>;
type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

const PAGE = pageOf(20_000);
const HTML = { 'content-type': 'text/html' };
const GZIP = { 'accept-encoding': 'gzip' };

function facesOver(t: TestContext, store = new MemoryStore()) {
  const made = fixture(t, { store, config: { bodyBytesMax: 100_000 } });
  const send = async (method: Method, url: string, headers: Headers = {}, payload?: Buffer) => {
    const answer = await made.app.inject({
      method,
      url,
      headers: { host: 'localhost', ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    const { statusCode: status, rawPayload: bytes } = answer;
    return { status, headers: answer.headers, bytes };
  };
  const put = (payload: Buffer, headers: Headers = HTML) =>
    send('PUT', '/v1/entries/p', headers, payload);
  const get = (headers: Headers = {}) => send('GET', '/v1/entries/p', headers);
  return { ...made, send, put, get };
}

test('a page is sent as it is stored to those who take it, and plain to the others', async (t) => {
  const { put, get, store } = facesOver(t);
  await put(PAGE);
  const encoded = await get(GZIP);
  assert.equal(encoded.headers['content-encoding'], 'gzip');
  assert.equal(Number(encoded.headers['content-length']), encoded.bytes.length);
  assert.ok(encoded.bytes.length < PAGE.length / 2);
  assert.ok(gunzipSync(encoded.bytes).equals(PAGE));
  const plain = await get();
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.ok(plain.bytes.equals(PAGE));
  for (const { status, headers } of [encoded, plain]) {
    assert.equal(status, 200);
    assert.equal(headers['vary'], 'Accept-Encoding');
    assert.equal(headers['content-type'], 'text/html');
  }
  assert.notEqual(encoded.headers['etag'], plain.headers['etag']);
  assert.equal(store.unreleased, 0);
});

test('HEAD says of each form what GET sends', async (t) => {
  const { put, get, send } = facesOver(t);
  await put(PAGE);
  for (const asked of [{}, GZIP]) {
    const head = await send('HEAD', '/v1/entries/p', asked);
    const { headers, bytes } = await get(asked);
    assert.equal(Number(head.headers['content-length']), bytes.length);
    for (const name of ['etag', 'content-encoding', 'vary', 'content-type']) {
      assert.equal(head.headers[name], headers[name], name);
    }
  }
});

test('the tag of PUT is that of the plain form, however the body came and is stored', async (t) => {
  const { put, get } = facesOver(t);
  const stored = await put(PAGE);
  assert.equal((await get()).headers['etag'], stored.headers['etag']);
  const sent = await put(gzipSync(PAGE), { ...HTML, 'content-encoding': 'gzip' });
  const image = await put(PAGE, { 'content-type': 'image/png' });
  assert.equal(sent.headers['etag'], stored.headers['etag']);
  assert.equal(image.headers['etag'], stored.headers['etag']);
  assert.equal((await get(GZIP)).headers['content-encoding'], undefined, 'an image is left alone');
});

test('conditions know both tags of the current version', async (t) => {
  const { put, get, send } = facesOver(t);
  await put(PAGE);
  const tags = [await get(), await get(GZIP)].map(({ headers }) => String(headers['etag']));
  for (const tag of tags) {
    for (const asked of [{}, GZIP]) {
      const unchanged = await get({ ...asked, 'if-none-match': tag });
      assert.deepEqual([unchanged.status, unchanged.bytes.length], [304, 0]);
      assert.equal(unchanged.headers['etag'], tags[asked === GZIP ? 1 : 0]);
      assert.equal((await get({ ...asked, 'if-match': tag })).status, 200);
    }
  }
  assert.equal((await get({ ...GZIP, 'if-match': '"other"' })).status, 412);
  const [, encodedTag = ''] = tags;
  const other = await send('PUT', '/v1/entries/p', { 'if-match': encodedTag }, Buffer.from('new'));
  assert.equal(other.status, 204);
  assert.equal((await send('DELETE', '/v1/entries/p', { 'if-match': encodedTag })).status, 412);
});

test('a range is one of the form that is sent', async (t) => {
  const { put, get } = facesOver(t);
  await put(PAGE);
  const { bytes } = await get(GZIP);
  for (const [form, asked] of [
    [PAGE, {}],
    [bytes, GZIP],
  ] as const) {
    const part = await get({ ...asked, range: 'bytes=100-199' });
    assert.equal(part.status, 206);
    assert.equal(part.headers['content-range'], `bytes 100-199/${form.length}`);
    assert.ok(part.bytes.equals(form.subarray(100, 200)));
    const beyond = await get({ ...asked, range: `bytes=${form.length}-` });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers['content-range'], `bytes */${form.length}`);
  }
});

test('If-Range goes on with the form of which the client has a part', async (t) => {
  const { put, get } = facesOver(t);
  await put(PAGE);
  const [plain, encoded] = [await get(), await get(GZIP)];
  const range = 'bytes=500-';
  const going = (tag: unknown, asked: Headers) => get({ ...asked, range, 'if-range': String(tag) });
  const onPlain = await going(plain.headers['etag'], GZIP);
  assert.deepEqual([onPlain.status, onPlain.headers['content-encoding']], [206, undefined]);
  assert.ok(onPlain.bytes.equals(PAGE.subarray(500)));
  const onEncoded = await going(encoded.headers['etag'], GZIP);
  assert.deepEqual([onEncoded.status, onEncoded.headers['content-encoding']], [206, 'gzip']);
  assert.ok(onEncoded.bytes.equals(encoded.bytes.subarray(500)));
  const noLonger = await going(encoded.headers['etag'], {});
  assert.deepEqual([noLonger.status, noLonger.headers['content-encoding']], [200, undefined]);
  assert.ok(noLonger.bytes.equals(PAGE));
});

test('If-Range without a Range says nothing of the form', async (t) => {
  const { put, get } = facesOver(t);
  await put(PAGE);
  const plain = await get();
  const answer = await get({ ...GZIP, 'if-range': String(plain.headers['etag']) });
  assert.deepEqual([answer.status, answer.headers['content-encoding']], [200, 'gzip']);
});

test('the faces of the original send JSON entries as one gzip member around the value', async (t) => {
  const { send, store } = facesOver(t);
  const value = JSON.stringify({ html: PAGE.toString(), big: '18446744073709551616' });
  const stored = Buffer.from(`{"value":${value},"duration":"1d"}`);
  await send('POST', '/cache/j', { 'content-type': 'application/json' }, stored);
  for (const url of ['/cache/j', '/pickle/j']) {
    const [plain, encoded] = [await send('GET', url), await send('GET', url, GZIP)];
    assert.ok(plain.bytes.includes(`"value":${value},"expire":`));
    assert.equal(encoded.headers['content-encoding'], 'gzip');
    assert.ok(encoded.bytes.length < plain.bytes.length / 2);
    assert.ok(gunzipSync(encoded.bytes).equals(plain.bytes));
    for (const { headers, bytes } of [plain, encoded]) {
      assert.equal(Number(headers['content-length']), bytes.length);
      assert.deepEqual(
        [headers['vary'], headers['cache-control']],
        ['Accept-Encoding', 'no-store'],
      );
    }
    const head = await send('HEAD', url, GZIP);
    assert.equal(Number(head.headers['content-length']), encoded.bytes.length);
  }
  const asValue = await send('GET', '/v1/entries/j', GZIP);
  assert.equal(gunzipSync(asValue.bytes).toString(), value);
  assert.equal(store.unreleased, 0);
});

test('without compression all is stored and sent as it came', async (t) => {
  const { put, get } = facesOver(t, new MemoryStore(Date.now, false));
  await put(PAGE);
  const { headers, bytes } = await get(GZIP);
  assert.equal(headers['content-encoding'], undefined);
  assert.ok(bytes.equals(PAGE));
});

test('bodies are taken encoded, verified, and never longer than bodies may be', async (t) => {
  const { put, get } = facesOver(t);
  const encoders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
  for (const [coding, encode] of Object.entries(encoders)) {
    const headers = { ...HTML, 'content-encoding': coding };
    const body = pageOf(20_000, coding.length);
    assert.ok((await put(encode(body), headers)).status < 300, coding);
    assert.ok((await get()).bytes.equals(body), coding);
    const bomb = await put(encode(Buffer.alloc(100_001)), headers);
    assert.equal(bomb.status, 413, coding);
    const cut = await put(encode(body).subarray(0, -3), headers);
    assert.equal(cut.status, 415, coding);
    assert.equal(JSON.parse(cut.bytes.toString()).code, 'CONTENT_ENCODING_INVALID');
    assert.ok((await get()).bytes.equals(body), `${coding}: what was there is still there`);
  }
  const unknown = await put(PAGE, { ...HTML, 'content-encoding': 'compress' });
  assert.equal(unknown.status, 415);
  assert.equal(unknown.headers['accept-encoding'], 'gzip, deflate, br');
  assert.equal(JSON.parse(unknown.bytes.toString()).code, 'MEDIA_TYPE_UNSUPPORTED');
});

test('any body of any type comes back byte for byte, whatever is accepted', async (t) => {
  const { send, store } = facesOver(t);
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }).map((array) => Buffer.from(array)),
    fc.tuple(fc.integer({ min: 0, max: 90_000 }), fc.nat(255)).map(([n, seed]) => pageOf(n, seed)),
    fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.nat(255)).map(([n, seed]) => pattern(n, seed)),
  );
  const type = fc.constantFrom('text/html', 'image/png', 'application/json', 'a/b', undefined);
  const accepted = fc.constantFrom('gzip', '*', 'br', 'identity', 'gzip;q=0', '', undefined);
  await fc.assert(
    fc.asyncProperty(body, type, accepted, async (bytes, contentType, accept) => {
      const typed: Headers = contentType === undefined ? {} : { 'content-type': contentType };
      const asking: Headers = accept === undefined ? {} : { 'accept-encoding': accept };
      const mounts = [
        ['PUT', '/v1/entries/any'],
        ['POST', '/pickle/any'],
      ] as const;
      for (const [method, url] of mounts) {
        assert.ok((await send(method, url, typed, bytes)).status < 300);
        const answer = await send('GET', url, asking);
        const isEncoded = answer.headers['content-encoding'] === 'gzip';
        assert.ok(!isEncoded || accept === 'gzip' || accept === '*');
        const plain = isEncoded ? gunzipSync(answer.bytes) : answer.bytes;
        assert.ok(plain.equals(bytes), `${url}: ${bytes.length} bytes of ${contentType}`);
      }
    }),
    { numRuns: 60 },
  );
  assert.equal(store.unreleased, 0);
});
