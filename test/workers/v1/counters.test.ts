/** `/v1/touch/{key}` and `/v1/incr/{key}` over HTTP. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fixture } from '../app-fixture.ts';

const START_MS = Date.UTC(2030, 0, 1);

function over(t: TestContext) {
  const clock = { nowMs: START_MS };
  const made = fixture(t, { now: () => clock.nowMs });
  const post = async (url: string, payload = '', type = 'application/json') => {
    const headers = { host: 'localhost', 'content-type': type };
    const answer = await made.app.inject({ method: 'POST', url, headers, payload });
    const { statusCode: status, body } = answer;
    return { status, body, code: status < 400 ? undefined : answer.json<{ code: string }>().code };
  };
  const get = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    made.app.inject({ method, url, headers: { host: 'localhost', ...headers } });
  return { ...made, clock, post, get };
}

test('a touch is answered with 204, and the entry lives on', async (t) => {
  const { app, clock, post, get } = over(t);
  const headers = { host: 'localhost', 'cache-control': 'max-age=60, stale-if-error=5' };
  await app.inject({ method: 'PUT', url: '/v1/entries/a', headers, payload: 'body' });
  const before = await get('/v1/entries/a');
  clock.nowMs += 30_000;
  assert.deepEqual(await post('/v1/touch/a', '{"ttl":100}'), {
    ...{ status: 204, body: '', code: undefined },
  });
  const after = await get('/v1/entries/a');
  assert.equal(after.headers['cache-control'], 'max-age=130, stale-if-error=5');
  assert.equal(after.headers['age'], '30');
  for (const name of ['etag', 'last-modified']) {
    assert.equal(after.headers[name], before.headers[name], name);
  }
  clock.nowMs += 100_000;
  assert.equal((await post('/v1/touch/a', '{"ttl":100}')).code, 'CACHE_MISS');
});

test('the original face shows the new end of what was touched', async (t) => {
  const { clock, post, get } = over(t);
  await post('/cache/a', '{"value":[1.0],"duration":"60s"}');
  clock.nowMs += 10_000;
  await post('/v1/touch/a', '{"ttl":60}');
  const expire = clock.nowMs / 1000 + 60;
  const shown = (await get('/cache/a')).body;
  assert.equal(shown, `{"key":"a","value":[1.0],"expire":${expire},"duration":null}`);
  await post('/v1/touch/a', '{"ttl":null}');
  const ever = (await get('/cache/a')).body;
  assert.equal(ever, '{"key":"a","value":[1.0],"expire":null,"duration":null}');
});

test('a touch needs a ttl, and takes nothing else', async (t) => {
  const { post } = over(t);
  await post('/v1/incr/a');
  const bad = ['', '{}', '{"ttl":0}', '{"ttl":-1}', '{"ttl":1.5}', '{"ttl":"60"}', '{"ttl":true}'];
  bad.push('{"ttl":2147483649}', '{"ttl":1,"ttl":2}', '{"ttl":1,"tll":2}', '{"ttl":1e2}');
  bad.push(`{"ttl":${'9'.repeat(400)}}`);
  for (const body of bad) {
    const { status, code } = await post('/v1/touch/a', body);
    assert.deepEqual([status, code], [422, 'MEMBER_INVALID'], body);
  }
  for (const body of ['[]', '{"ttl":1', 'ttl=1', '{"ttl":1}x']) {
    assert.equal((await post('/v1/touch/a', body)).code, 'BODY_INVALID', body);
  }
  assert.equal((await post('/v1/touch/a', '{"ttl":1}', 'text/plain')).status, 415);
  assert.equal((await post('/v1/touch/a', `{"ttl":1${' '.repeat(20_000)}}`)).status, 413);
  assert.equal((await post('/v1/touch/', '{"ttl":1}')).code, 'KEY_EMPTY');
  assert.equal((await post('/v1/touch/a', '{"ttl":2147483648}')).status, 204);
});

test('a counter counts, exactly, from nothing or from what is given', async (t) => {
  const { post } = over(t);
  assert.deepEqual(
    [(await post('/v1/incr/n')).body, (await post('/v1/incr/n', '{}')).body],
    ['{"value":1}', '{"value":2}'],
  );
  const huge = await post('/v1/incr/huge', '{"by":1,"initial":9007199254740992}');
  assert.deepEqual([huge.status, huge.body], [200, '{"value":9007199254740993}']);
  const exact = await post('/v1/incr/huge', '{"by":9007199254740993}');
  assert.equal(exact.body, '{"value":18014398509481986}');
  const over64 = await post('/v1/incr/huge', '{"by":9223372036854775807}');
  assert.deepEqual([over64.status, over64.code], [409, 'COUNTER_OVERFLOW']);
  await post('/cache/text', '{"value":"7"}');
  const text = await post('/v1/incr/text');
  assert.deepEqual([text.status, text.code], [409, 'NOT_AN_INTEGER']);
  for (const body of [
    '{"by":9223372036854775808}',
    '{"by":"1"}',
    '{"initial":null}',
    '{"bye":1}',
  ]) {
    const { status, code } = await post('/v1/incr/n', body);
    assert.deepEqual([status, code], [422, 'MEMBER_INVALID'], body);
  }
});

test('a counter is shown on every face like a JSON entry', async (t) => {
  const { app, clock, post, get } = over(t);
  await post('/v1/incr/n', '{"by":-1234,"ttl":60}');
  const expire = START_MS / 1000 + 60;
  const wrapped = `{"key":"n","value":-1234,"expire":${expire},"duration":null}`;
  assert.equal((await get('/cache/n')).body, wrapped);
  assert.equal((await get('/pickle/n')).body, wrapped);
  const shown = await get('/v1/entries/n');
  assert.deepEqual([shown.statusCode, shown.body], [200, '-1234']);
  assert.equal(shown.headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(shown.headers['cache-control'], 'max-age=60');
  const etag = String(shown.headers['etag']);
  const head = await get('/v1/entries/n', {}, 'HEAD');
  assert.deepEqual([head.headers['content-length'], head.body], ['5', '']);
  assert.equal((await get('/v1/entries/n', { 'if-none-match': etag })).statusCode, 304);
  const part = await get('/v1/entries/n', { range: 'bytes=1-2' });
  assert.deepEqual([part.statusCode, part.body], [206, '12']);
  clock.nowMs += 5000;
  await post('/v1/incr/n');
  const counted = await get('/v1/entries/n', { 'if-none-match': etag });
  assert.deepEqual([counted.statusCode, counted.body], [200, '-1233']);
  assert.equal(counted.headers['cache-control'], 'max-age=55');
  const remove = {
    method: 'DELETE',
    url: '/v1/entries/n',
    headers: { host: 'localhost' },
  } as const;
  assert.equal((await app.inject(remove)).statusCode, 204);
});
