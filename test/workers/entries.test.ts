import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fixture, fixture } from './app-fixture.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, unknown>>;
}

type Method = 'GET' | 'POST' | 'DELETE';

async function send(
  { app }: Fixture,
  method: Method,
  url: string,
  payload?: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const sent = { method, url, headers: { host: 'localhost', ...headers } };
  const answer = await app.inject(payload === undefined ? sent : { ...sent, payload });
  const { statusCode, body, rawPayload } = answer;
  return { status: statusCode, body, bytes: rawPayload, headers: answer.headers };
}

test('a value comes back byte for byte, in the answer to the POST and in every GET', async (t) => {
  const made = fixture(t);
  for (const value of [
    '{"__proto__":{"a":1},"constructor":2}',
    '{"b":9007199254740993,"a":1.0,"2":1e400,"1":[ ]}',
    'null',
    '""',
    '0',
    'false',
    '"é\\u0000🐘"',
    JSON.stringify('<p>é</p>'.repeat(20_000)),
    JSON.stringify(['x'.repeat(300_000)]),
  ]) {
    const stored = await send(made, 'POST', '/cache/v', `{"value": ${value} , "expire": null}`);
    assert.equal(stored.body, `{"key":"v","value":${value},"expire":null}`);
    const read = await send(made, 'GET', '/cache/v');
    assert.equal(read.body, `{"key":"v","value":${value},"expire":null,"duration":null}`);
    assert.equal(read.headers['content-type'], 'application/json; charset=utf-8');
  }
  assert.equal(made.store.unreleased, 0);
});

test('duration wins over expire, and both come back as they were sent', async (t) => {
  const nowMs = 1_800_000_000_250;
  const made = fixture(t, { now: () => nowMs });
  const stored = await send(made, 'POST', '/cache/a', '{"value":1,"expire":5,"duration":"7dayss"}');
  const expire = (nowMs + 7 * 86_400_000) / 1000;
  assert.equal(stored.body, `{"key":"a","value":1,"expire":${expire}}`);
  const read = await send(made, 'GET', '/cache/a');
  assert.equal(read.body, `{"key":"a","value":1,"expire":${expire},"duration":"7dayss"}`);
  await send(made, 'POST', '/cache/b', '{"value":1,"expire":"1900000000"}');
  const text = await send(made, 'GET', '/cache/b');
  assert.equal(text.body, '{"key":"b","value":1,"expire":1900000000,"duration":null}');
});

test('what has expired says so, and counts as expire, not as miss', async (t) => {
  const made = fixture(t);
  for (const body of [
    '{"value":1,"duration":"0s"}',
    '{"value":1,"expire":0}',
    '{"value":1,"expire":1.5}',
    '{"value":1,"expire":-1}',
  ]) {
    assert.equal((await send(made, 'POST', '/cache/a', body)).status, 200);
    const read = await send(made, 'GET', '/cache/a');
    assert.deepEqual(
      [read.status, read.body],
      [404, '{"detail":"cache expired","code":"CACHE_EXPIRED"}'],
    );
  }
  assert.equal((await send(made, 'GET', '/pickle/a')).status, 404);
  await send(made, 'GET', '/cache/none');
  await send(made, 'POST', '/cache/b', '{"value":1}');
  await send(made, 'GET', '/cache/b');
  await send(made, 'GET', '/pickle/b');
  await send(made, 'DELETE', '/cache/b');
  const stats = { hit: 2, miss: 1, expire: 5, delete: 1, hit_rate: '66.67%' };
  assert.deepEqual(JSON.parse((await send(made, 'GET', '/stat')).body), { stats });
});

test('the rate of hits is zero before the first read', async (t) => {
  const answer = await send(fixture(t), 'GET', '/stat');
  assert.match(answer.body, /"hit_rate":"0.00%"/);
});

test('a body of the wrong type, charset or encoding is refused', async (t) => {
  const made = fixture(t);
  const post = (headers: Record<string, string>) =>
    send(made, 'POST', '/cache/a', '{"value":1}', headers);
  for (const type of [
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json;profile=x; charset=utf8',
    'application/ld+json',
    'application/problem+json ; charset=utf-8',
  ]) {
    assert.equal((await post({ 'content-type': type })).status, 200, type);
  }
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json garbage',
    'application/json; charset=latin1',
    'application/json; garbage',
    'application/jsonp',
    'json',
    ';',
  ]) {
    const answer = await post({ 'content-type': type });
    assert.deepEqual([answer.status, answer.body.includes('MEDIA_TYPE_UNSUPPORTED')], [415, true]);
  }
  assert.equal((await post({ 'content-encoding': 'gzip' })).status, 415);
  assert.equal((await post({ 'content-encoding': 'identity' })).status, 200);
});

test('durations that are very long texts are refused as others are', async (t) => {
  const made = fixture(t);
  for (const duration of [`1d${'a'.repeat(70_000)}`, `${'0'.repeat(70_000)}1d`]) {
    const answer = await send(made, 'POST', '/cache/a', JSON.stringify({ value: 1, duration }));
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [422, 'DURATION_INVALID']);
  }
  assert.equal(await made.store.count(), 0);
});

test('Prefer: return=minimal answers 204 without a body', async (t) => {
  const made = fixture(t);
  for (const url of ['/cache/a', '/pickle/b']) {
    const prefer = { prefer: 'respond-async, return=minimal' };
    const answer = await send(made, 'POST', url, '{"value":1}', prefer);
    assert.deepEqual([answer.status, answer.body], [204, '']);
    assert.equal(answer.headers['preference-applied'], 'return=minimal');
  }
  assert.equal(await made.store.count(), 2);
});

test('raw bytes come back as they are, sandboxed, with any Content-Type or none', async (t) => {
  const made = fixture(t);
  const bytes = Buffer.from([0, 255, 10, 13, 128]);
  for (const [type, expected] of [
    [undefined, 'application/octet-stream'],
    ['text/html; charset=latin1', 'text/html; charset=latin1'],
    ['not a type', 'not a type'],
    ['application/json', 'application/json'],
  ] as const) {
    const headers = type === undefined ? {} : { 'content-type': type };
    const stored = await send(made, 'POST', '/pickle/p', bytes, headers);
    assert.deepEqual([stored.status, stored.body], [200, '{"key":"p","expire":"not set"}']);
    const read = await send(made, 'GET', '/pickle/p');
    assert.ok(read.bytes.equals(bytes));
    assert.equal(read.headers['content-type'], expected);
    assert.equal(read.headers['x-content-type-options'], 'nosniff');
    assert.equal(read.headers['content-security-policy'], "sandbox; default-src 'none'");
  }
  const tooLong = { 'content-type': `text/${'x'.repeat(300)}` };
  assert.equal((await send(made, 'POST', '/pickle/p', bytes, tooLong)).status, 400);
  const plain = fixture(t, { config: { bodyCsp: 'none' } });
  await send(plain, 'POST', '/pickle/p', bytes);
  const read = await send(plain, 'GET', '/pickle/p');
  assert.equal(read.headers['content-security-policy'], undefined);
});

test('a pickle lives as long as its max-age says', async (t) => {
  let nowMs = 1_800_000_000_500;
  const made = fixture(t, { now: () => nowMs });
  const maxAge = { 'cache-control': 'no-transform, max-age=60' };
  const stored = await send(made, 'POST', '/pickle/p', 'x', maxAge);
  assert.equal(stored.body, '{"key":"p","expire":1800000060.5}');
  nowMs += 59_999;
  assert.equal((await send(made, 'GET', '/pickle/p')).status, 200);
  nowMs += 1;
  assert.match((await send(made, 'GET', '/pickle/p')).body, /CACHE_EXPIRED/);
  const long = { 'cache-control': `max-age=${'9'.repeat(30)}` };
  const capped = JSON.parse((await send(made, 'POST', '/pickle/p', 'x', long)).body);
  assert.equal(capped.expire, nowMs / 1000 + 2 ** 31);
  const none = await send(made, 'POST', '/pickle/p', 'x', { 'cache-control': 's-max-age=1' });
  assert.match(none.body, /not set/);
});

test('the other kind of an entry: JSON is readable as bytes, bytes are not readable as JSON', async (t) => {
  const made = fixture(t);
  await send(made, 'POST', '/cache/j', '{"value":[1, 2],"duration":"1d"}');
  const asJson = await send(made, 'GET', '/cache/j');
  const asBytes = await send(made, 'GET', '/pickle/j');
  assert.equal(asBytes.body, asJson.body);
  await send(made, 'POST', '/pickle/p', 'bytes');
  const mismatch = await send(made, 'GET', '/cache/p');
  assert.deepEqual([mismatch.status, JSON.parse(mismatch.body).code], [409, 'KIND_MISMATCH']);
  assert.equal(made.counters.hit, 2);
});

test('deleting answers the same for both kinds, whatever type the request claims', async (t) => {
  const made = fixture(t);
  const json = { 'content-type': 'application/json' };
  await send(made, 'POST', '/cache/a', '{"value":1}');
  await send(made, 'POST', '/pickle/b', 'x');
  const first = await send(made, 'DELETE', '/pickle/a', undefined, json);
  assert.equal(first.body, `{"message":"'a' removed from cache."}`);
  const second = await send(made, 'DELETE', '/cache/b', undefined, json);
  assert.equal(second.body, `{"message":"'b' removed from cache."}`);
  const third = await send(made, 'DELETE', '/cache/b', undefined, json);
  assert.equal(third.status, 404);
  assert.equal(JSON.parse(third.body).detail, 'cannot find cache data to delete');
});

test('a prefix with a slash spares its neighbours, and the answer counts', async (t) => {
  const made = fixture(t);
  for (const key of ['a/1', 'a/2', 'ab', 'x%F4%8F%BF%BF1'])
    await send(made, 'POST', `/pickle/${key}`, 'x');
  const answer = await send(made, 'DELETE', '/prefix/a/');
  assert.equal(answer.body, `{"message":"prefix 'a/': 2 keys deleted.","deleted":2}`);
  assert.match((await send(made, 'DELETE', '/prefix/x%F4%8F%BF%BF')).body, /"deleted":1/);
  assert.equal(await made.store.count(), 1);
  const both = await Promise.all([send(made, 'POST', '/clear'), send(made, 'GET', '/clear')]);
  assert.deepEqual(
    both.map(({ status }) => status),
    [200, 200],
  );
  assert.equal((await send(made, 'GET', '/stat/count')).body, '{"count":0}');
});

test('a fault of the server is logged, and answered without a word about its inside', async (t) => {
  const made = fixture(t);
  made.store.get = async () => {
    throw new TypeError('/secret/path is undefined');
  };
  const answer = await send(made, 'GET', '/cache/a');
  assert.equal(answer.status, 500);
  assert.deepEqual(Object.keys(JSON.parse(answer.body)), ['detail', 'code']);
  assert.doesNotMatch(answer.body, /secret|TypeError/);
  assert.equal(made.logged.length, 1);
});
