/** `/v1/entries`: what is stored, how it is shown, and what conditions do. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fixture } from '../app-fixture.ts';

type Headers = Readonly<Record<string, string>>;
const START_MS = Date.UTC(2026, 0, 1);

/** An application whose clock stands still until it is moved. */
function entriesOver(t: TestContext) {
  const clock = { nowMs: START_MS };
  const made = fixture(t, { now: () => clock.nowMs });
  const send = async (
    method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
    key: string,
    { headers = {}, body }: { headers?: Headers; body?: string | Buffer } = {},
  ) => {
    const answer = await made.app.inject({
      method,
      url: `/v1/entries/${key}`,
      headers: { host: 'localhost', ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  };
  const put = (key: string, body: string, headers: Headers = {}) =>
    send('PUT', key, { body, headers });
  const get = (key: string, headers: Headers = {}) => send('GET', key, { headers });
  return { ...made, clock, send, put, get };
}

test('an entry comes back with its type, its tag, its age and what is left of its life', async (t) => {
  const { put, get, clock } = entriesOver(t);
  const stored = await put('a/b?c=1', '<p>', {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'max-age=60, stale-while-revalidate=30',
  });
  assert.equal(stored.status, 201);
  assert.equal(stored.headers['cache-control'], 'no-store');
  clock.nowMs += 10_500;
  const { status, headers, body } = await get('a/b?c=1');
  assert.deepEqual([status, body], [200, '<p>']);
  assert.equal(headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(headers['etag'], stored.headers['etag']);
  assert.match(String(headers['etag']), /^"[\w-]{22}"$/);
  assert.equal(headers['age'], '10');
  assert.equal(headers['cache-control'], 'max-age=60, stale-while-revalidate=30');
  assert.equal(headers['last-modified'], new Date(START_MS).toUTCString());
  assert.equal(headers['cache-status'], 'BigCache; hit; ttl=49');
  assert.equal(headers['vary'], 'Accept-Encoding');
  assert.equal(headers['x-content-type-options'], 'nosniff');
});

test('an entry without a lifetime is kept for ever, and says nothing of one', async (t) => {
  const { put, get } = entriesOver(t);
  await put('kept', 'x');
  const { headers } = await get('kept');
  assert.equal(headers['cache-control'], undefined);
  assert.equal(headers['cache-status'], 'BigCache; hit');
  assert.equal(headers['content-type'], 'application/octet-stream');
});

test('a second PUT replaces, with 204', async (t) => {
  const { put, get } = entriesOver(t);
  const first = await put('k', '1');
  const second = await put('k', '2');
  assert.deepEqual([first.status, second.status], [201, 204]);
  assert.notEqual(first.headers['etag'], second.headers['etag']);
  assert.equal((await get('k')).body, '2');
});

test('HEAD answers as GET does, without the body', async (t) => {
  const { put, get, send, store } = entriesOver(t);
  await put('k', 'four', { 'cache-control': 'max-age=5' });
  const head = await send('HEAD', 'k');
  const { headers } = await get('k');
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '4']);
  for (const name of ['etag', 'cache-control', 'age', 'content-type', 'last-modified']) {
    assert.equal(head.headers[name], headers[name], name);
  }
  assert.equal(store.unreleased, 0);
});

test('a miss says why, and is not stored by caches', async (t) => {
  const { put, get, clock } = entriesOver(t);
  const never = await get('none');
  assert.deepEqual([never.status, JSON.parse(never.body).code], [404, 'CACHE_MISS']);
  assert.equal(never.headers['cache-status'], 'BigCache; detail=never-seen');
  assert.equal(never.headers['cache-control'], 'no-store');
  await put('short', 'x', { 'cache-control': 'max-age=1' });
  clock.nowMs += 1000;
  const expired = await get('short');
  assert.equal(JSON.parse(expired.body).code, 'CACHE_EXPIRED');
  assert.equal(expired.headers['cache-status'], 'BigCache; detail=expired');
});

test('a stale entry is shown within its windows, to those who may see it', async (t) => {
  const { put, get, clock } = entriesOver(t);
  await put('k', 'x', {
    'cache-control': 'max-age=10, stale-while-revalidate=5, stale-if-error=60',
  });
  clock.nowMs += 12_000;
  const stale = await get('k');
  assert.equal(stale.status, 200);
  assert.equal(stale.headers['cache-status'], 'BigCache; hit; ttl=-2');
  assert.equal(stale.headers['age'], '12');
  clock.nowMs += 10_000;
  assert.equal((await get('k')).status, 404);
  assert.equal((await get('k', { 'cache-control': 'max-stale=3600' })).status, 200);
  clock.nowMs += 60_000;
  assert.equal((await get('k', { 'cache-control': 'max-stale' })).status, 404);
});

test('the original face shows no stale entry', async (t) => {
  const { app, put, clock } = entriesOver(t);
  await put('k', 'x', { 'cache-control': 'max-age=1, stale-while-revalidate=60' });
  clock.nowMs += 2000;
  const answer = await app.inject({ url: '/pickle/k', headers: { host: 'localhost' } });
  assert.deepEqual([answer.statusCode, answer.json().code], [404, 'CACHE_EXPIRED']);
});

test('a client that has the content is told so', async (t) => {
  const { put, get, store } = entriesOver(t);
  const { headers } = await put('k', 'x', { 'cache-control': 'max-age=5' });
  const tag = String(headers['etag']);
  for (const asked of [
    { 'if-none-match': tag },
    { 'if-none-match': `"other", W/${tag}` },
    { 'if-modified-since': new Date(START_MS).toUTCString() },
  ] as Headers[]) {
    const { status, headers: shown, body } = await get('k', asked);
    assert.deepEqual([status, body], [304, '']);
    assert.equal(shown['etag'], tag);
    assert.equal(shown['cache-control'], 'max-age=5');
    assert.equal(shown['content-type'], undefined);
  }
  assert.equal((await get('k', { 'if-none-match': '"other"' })).status, 200);
  const failed = await get('k', { 'if-match': '"other"' });
  assert.deepEqual([failed.status, JSON.parse(failed.body).code], [412, 'PRECONDITION_FAILED']);
  assert.equal(failed.headers['cache-control'], 'no-store');
  assert.equal(store.unreleased, 0);
});

test('one range of bytes is answered alone, several with the whole', async (t) => {
  const { put, get, store } = entriesOver(t);
  const { headers } = await put('k', '0123456789');
  const part = await get('k', { range: 'bytes=2-4' });
  assert.deepEqual([part.status, part.body], [206, '234']);
  assert.equal(part.headers['content-range'], 'bytes 2-4/10');
  assert.equal(part.headers['content-length'], '3');
  assert.equal((await get('k', { range: 'bytes=-3' })).body, '789');
  assert.equal((await get('k', { range: 'bytes=0-1,4-5' })).body, '0123456789');
  const none = await get('k', { range: 'bytes=10-' });
  assert.deepEqual([none.status, JSON.parse(none.body).code], [416, 'RANGE_UNSATISFIABLE']);
  assert.equal(none.headers['content-range'], 'bytes */10');
  const tag = String(headers['etag']);
  assert.equal((await get('k', { range: 'bytes=0-0', 'if-range': tag })).status, 206);
  assert.equal((await get('k', { range: 'bytes=0-0', 'if-range': '"old"' })).status, 200);
  assert.equal(store.unreleased, 0);
});

test('If-None-Match: * stores only where there is nothing, stale counting as something', async (t) => {
  const { put, get, clock } = entriesOver(t);
  const only = { 'if-none-match': '*', 'cache-control': 'max-age=1, stale-if-error=10' };
  assert.equal((await put('k', '1', only)).status, 201);
  assert.equal((await put('k', '2', only)).status, 412);
  clock.nowMs += 2000;
  assert.equal((await put('k', '2', only)).status, 412);
  clock.nowMs += 10_000;
  assert.equal((await put('k', '3', only)).status, 201);
  assert.equal((await get('k')).body, '3');
});

test('If-Match stores and removes only over that content', async (t) => {
  const { put, send } = entriesOver(t);
  const tag = String((await put('k', '1')).headers['etag']);
  assert.equal((await put('k', '2', { 'if-match': '"other"' })).status, 412);
  assert.equal((await put('none', '2', { 'if-match': '*' })).status, 412);
  assert.equal((await put('k', '2', { 'if-match': tag })).status, 204);
  assert.equal((await send('DELETE', 'k', { headers: { 'if-match': tag } })).status, 412);
  assert.equal((await send('DELETE', 'k', { headers: { 'if-match': '*' } })).status, 204);
  assert.equal((await send('DELETE', 'k')).status, 404);
  assert.equal((await put('k', '3', { 'if-match': 'nonsense' })).status, 400);
});

test('what cannot be stored as it is sent is refused, and says why', async (t) => {
  const { put, get } = entriesOver(t);
  const refusals: [Headers, number, RegExp][] = [
    [{ 'content-range': 'bytes 0-1/2' }, 400, /Content-Range/],
    [{ 'content-encoding': 'compress' }, 415, /gzip, deflate, br/],
    [{ 'content-encoding': 'gzip, br' }, 415, /gzip, deflate, br/],
    [{ 'cache-control': 'max-age=soon' }, 400, /max-age/],
    [{ 'cache-tag': 'a b' }, 400, /tag/],
    [{ 'content-type': `text/${'x'.repeat(300)}` }, 400, /Content-Type/],
  ];
  for (const [headers, status, why] of refusals) {
    const answer = await put('k', 'xy', headers);
    assert.equal(answer.status, status);
    assert.match(JSON.parse(answer.body).detail, why);
  }
  assert.equal((await get('k')).status, 404);
});

test('a JSON entry of the original face is its value, as JSON', async (t) => {
  const { app, get } = entriesOver(t);
  await app.inject({
    method: 'POST',
    url: '/cache/k',
    headers: { host: 'localhost', 'content-type': 'application/json' },
    payload: '{"value": {"a": 1.0}}',
  });
  const { headers, body } = await get('k');
  assert.equal(body, '{"a": 1.0}');
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  assert.match(String(headers['etag']), /^"[\w-]{22}"$/);
});
