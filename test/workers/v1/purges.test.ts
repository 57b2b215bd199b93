/** `/v1/purge`, `/v1/purges/{id}` and `/v1/explain/{key}` over HTTP. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { purgeId, versionOfPurgeId } from '../../../src/protocol/purge.ts';
import { fixture } from '../app-fixture.ts';

function purgesOver(t: TestContext, now: () => number = Date.now) {
  const { app, store } = fixture(t, { now });
  const json = { host: 'localhost', 'content-type': 'application/json' };
  const post = async (payload: string | object, headers: Record<string, string> = {}) => {
    const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const all = { ...json, ...headers };
    return app.inject({ method: 'POST', url: '/v1/purge', headers: all, payload: body });
  };
  const get = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ url, headers: { host: 'localhost', ...headers } });
  const put = (key: string, tags: string, control = '') =>
    app.inject({
      method: 'PUT',
      url: `/v1/entries/${key}`,
      headers: { host: 'localhost', 'cache-tag': tags, 'cache-control': control },
      payload: 'body',
    });
  return { app, store, post, get, put };
}

test('a purge by tag is answered with 202, an id, and where its report is', async (t) => {
  const { post, get, put } = purgesOver(t, () => 1_700_000_000_500);
  await put('a', 'x, y');
  await put('b', 'y');
  const answer = await post({ tag: 'x' });
  const { id } = answer.json<{ id: string }>();
  assert.equal(answer.statusCode, 202);
  assert.equal(answer.headers['location'], `/v1/purges/${id}`);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const missed = await get('/v1/entries/a');
  assert.deepEqual(
    [missed.statusCode, missed.headers['cache-status']],
    [404, 'BigCache; detail=purged'],
  );
  assert.equal((await get('/v1/entries/b')).statusCode, 200);
  const report = await get(`/v1/purges/${id}`);
  assert.deepEqual(report.json(), {
    ...{ id, selector: { tag: 'x' }, soft: false, dryRun: false, state: 'done' },
    ...{ matched: 1, removed: 1, bytes: 4, costMs: 0 },
    ...{ startedAt: 1_700_000_000.5, finishedAt: 1_700_000_000.5 },
  });
  assert.equal(report.headers['cache-control'], 'no-store');
});

test('a soft purge makes entries stale, and present all the same', async (t) => {
  let nowMs = 1_700_000_000_000;
  const { app, post, get, put } = purgesOver(t, () => nowMs);
  await put('ever', 'x');
  await put('hour', 'x', 'max-age=3600, stale-if-error=60');
  nowMs += 10_000;
  const { id } = (await post({ tag: 'x', soft: true })).json<{ id: string }>();
  nowMs += 5000;
  const ever = await get('/v1/entries/ever');
  assert.deepEqual([ever.statusCode, ever.body], [200, 'body']);
  assert.equal(ever.headers['cache-status'], 'BigCache; hit; ttl=-5');
  assert.match(
    String(ever.headers['cache-control']),
    /^max-age=10, stale-while-revalidate=2147483648/,
  );
  const hour = await get('/v1/entries/hour');
  assert.equal(
    hour.headers['cache-control'],
    'max-age=10, stale-while-revalidate=3590, stale-if-error=3650',
  );
  const original = await get('/pickle/ever');
  assert.deepEqual(
    [original.statusCode, original.json<{ code: string }>().code],
    [404, 'CACHE_EXPIRED'],
  );
  const refused = await app.inject({
    method: 'PUT',
    url: '/v1/entries/ever',
    headers: { host: 'localhost', 'if-none-match': '*' },
    payload: 'x',
  });
  assert.equal(refused.statusCode, 412);
  const why = (await get('/v1/explain/ever')).json<Record<string, unknown>>();
  assert.deepEqual([why['state'], why['reason'], why['at']], ['stale', 'purged', 1_700_000_010]);
  assert.deepEqual(why['by'], { purge: id, selector: { tag: 'x' }, soft: true });
  nowMs += 3600_000;
  assert.equal((await get('/v1/entries/hour')).statusCode, 404);
  const lenient = await get('/v1/entries/hour', { 'cache-control': 'max-stale' });
  assert.equal(lenient.statusCode, 200);
});

test('a dry run tells what would go', async (t) => {
  const { post, get, put } = purgesOver(t);
  await put('p/1', '');
  await put('q/1', '');
  const { id } = (await post({ prefix: 'p/', dryRun: true })).json<{ id: string }>();
  const report = (await get(`/v1/purges/${id}`)).json<Record<string, unknown>>();
  assert.deepEqual([report['dryRun'], report['matched'], report['removed']], [true, 1, 0]);
  assert.equal((await get('/v1/entries/p/1')).statusCode, 200);
  await post({ all: true });
  assert.equal((await get('/v1/entries/p/1')).statusCode, 404);
});

test('a body that does not say exactly one thing is refused, and purges nothing', async (t) => {
  const { post, get, put } = purgesOver(t);
  await put('a', 'x');
  const invalid = [
    {},
    { soft: true },
    { prefix: 'a', tag: 'x' },
    { tag: 'x', all: true },
    { all: false },
    { all: 'true' },
    { all: false, prefix: 'a' },
    { prefix: 1 },
    { prefix: null },
    { tag: '' },
    { tag: 'x y' },
    { tag: 'x,y' },
    { tag: 'x'.repeat(1025) },
    { tag: '\ud800' },
    { tag: 'x', soft: 'yes' },
    { tag: 'x', soft: null },
    { tag: 'x', dryRun: 1 },
    { tag: 'x', sofft: true },
    { tag: 'x', __proto__x: true },
  ];
  for (const body of invalid) {
    const answer = await post(body);
    const { code } = answer.json<{ code: string }>();
    assert.deepEqual([answer.statusCode, code], [422, 'PURGE_INVALID'], JSON.stringify(body));
  }
  const malformed = [
    '',
    '[]',
    'null',
    '"x"',
    '{"tag":"x"',
    '{"tag":"x"} {}',
    '{"tag":"x",}',
    '{"tag":"y","tag":"x"}',
    '{"tag":"y","t\\u0061g":"x"}',
    '{"tag":{"a":"}"}}',
    '{"tag":["x"]}',
    `{"tag":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
    '\ufeff{"tag":"x"}',
    '{"tag":"x","__proto__":{"all":true}}',
  ];
  for (const body of malformed) {
    const answer = await post(body);
    const { code } = answer.json<{ code: string }>();
    assert.deepEqual([answer.statusCode, code], [422, 'BODY_INVALID'], body.slice(0, 60));
  }
  assert.equal((await get('/v1/entries/a')).statusCode, 200);
});

test('prefixes have the form of keys, and tags may hold what JSON escapes', async (t) => {
  const { post, get, put } = purgesOver(t);
  const code = async (body: object) => {
    const answer = await post(body);
    return [answer.statusCode, answer.json<{ code?: string }>().code];
  };
  assert.deepEqual(await code({ prefix: '' }), [400, 'PREFIX_EMPTY']);
  assert.deepEqual(await code({ prefix: '///' }), [400, 'PREFIX_EMPTY']);
  assert.deepEqual(await code({ prefix: 'a\u0000' }), [400, 'KEY_INVALID']);
  assert.deepEqual(await code({ prefix: 'a\ud800' }), [400, 'KEY_INVALID']);
  assert.deepEqual(await code({ prefix: 'a'.repeat(8193) }), [414, 'KEY_TOO_LONG']);
  await put('a%22b', 'q%22');
  assert.equal((await post(' { "tag" : "q%22\\u0022" , "soft":false } ')).statusCode, 202);
  assert.equal((await get('/v1/entries/a%22b')).statusCode, 200);
  assert.equal((await post({ prefix: '/a"' })).statusCode, 202);
  assert.equal((await get('/v1/entries/a%22b')).statusCode, 404);
});

test('a body of another type or size, and a foreign page, are refused', async (t) => {
  const { post, app } = purgesOver(t);
  const status = async (headers: Record<string, string>, body = '{"all":true}') =>
    (await post(body, headers)).statusCode;
  assert.equal(await status({ 'content-type': 'text/plain' }), 415);
  assert.equal(await status({ 'content-encoding': 'gzip' }), 415);
  assert.equal(await status({ 'content-type': 'application/vnd.x+json' }), 202);
  assert.equal(await status({}, `{"tag":"x"${' '.repeat(65_536)}}`), 413);
  assert.equal(await status({ origin: 'http://evil.example' }), 403);
  assert.equal(await status({ 'sec-fetch-site': 'cross-site' }), 403);
  const asGet = await app.inject({ url: '/v1/purge', headers: { host: 'localhost' } });
  assert.deepEqual([asGet.statusCode, asGet.headers['allow']], [405, 'POST']);
});

test('a report that nobody has is 404, whatever the id looks like', async (t) => {
  const { get } = purgesOver(t);
  for (const id of [
    '',
    '1',
    '1-',
    '1-2A',
    '01-2',
    '1-02',
    '1-fffffffff',
    'x-y',
    '1-2/3',
    '1-2?a',
  ]) {
    const answer = await get(`/v1/purges/${id}`);
    const { code } = answer.json<{ code: string }>();
    assert.deepEqual([answer.statusCode, code], [404, 'PURGE_UNKNOWN'], id);
  }
});

test('an id holds the epoch of the start, and stands for one version', () => {
  for (const version of [1, 2 ** 32, 2 ** 32 + 1, 3 * 2 ** 32 + 0xffff, Number.MAX_SAFE_INTEGER]) {
    assert.equal(versionOfPurgeId(purgeId(version)), version);
  }
  assert.equal(purgeId(3 * 2 ** 32 + 42), '3-2a');
});

test('explain says of every key what a GET would find', async (t) => {
  let nowMs = 1_700_000_000_000;
  const { app, get, put } = purgesOver(t, () => nowMs);
  await put('page', 'x', 'max-age=60, stale-while-revalidate=30');
  const why = async (key: string) => {
    const answer = await get(`/v1/explain/${key}`);
    assert.equal(answer.statusCode, 200);
    const { state, reason, at } = answer.json<Record<string, unknown>>();
    return [state, reason, at];
  };
  const full = (await get('/v1/explain/page')).json<{ entry: object; rememberedSince: number }>();
  assert.deepEqual(full.entry, {
    storedAt: 1_700_000_000,
    expiresAt: 1_700_000_060,
    staleWhileRevalidateUntil: 1_700_000_090,
    staleIfErrorUntil: null,
    size: 4,
    costMs: 0,
    tags: ['x'],
  });
  assert.equal(full.rememberedSince, 1_700_000_000);
  assert.deepEqual(await why('page'), ['hit', 'fresh', 1_700_000_000]);
  nowMs += 60_000;
  assert.deepEqual(await why('page'), ['stale', 'expired', 1_700_000_060]);
  nowMs += 30_000;
  assert.deepEqual(await why('page'), ['miss', 'expired', 1_700_000_060]);
  assert.deepEqual(await why('page?x=1'), ['miss', 'never-seen', null]);
  await put('page', 'x');
  await app.inject({
    method: 'DELETE',
    url: '/v1/entries/page',
    headers: { host: 'localhost' },
  });
  assert.deepEqual(await why('page'), ['miss', 'deleted', 1_700_000_090]);
  assert.equal((await get('/v1/explain/')).json<{ code: string }>().code, 'KEY_EMPTY');
});
