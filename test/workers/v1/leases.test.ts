/** Leases over HTTP: what is asked and answered, on every face of the store. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { fixture, listening, received, request, until } from '../app-fixture.ts';

type Headers = Readonly<Record<string, string>>;
const START_MS = Date.UTC(2026, 0, 1);
const LEASE = { 'cache-lease': '30' };

function leasesOver(t: TestContext) {
  const clock = { nowMs: START_MS };
  const made = fixture(t, { now: () => clock.nowMs });
  const send = async (
    method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
    url: string,
    headers: Headers = {},
    payload?: string,
  ) => {
    const answer = await made.app.inject({
      method,
      url,
      headers: { host: 'localhost', ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  };
  const tokenFor = async (url: string): Promise<string> => {
    const { status, headers } = await send('GET', url, LEASE);
    assert.equal(status, 404);
    return String(headers['cache-lease-token']);
  };
  const codeOf = ({ body }: { body: string }): string => JSON.parse(body).code;
  return { ...made, clock, send, tokenFor, codeOf };
}

/** A place for entries: how one is read and written there. */
const FACES = [
  { mount: '/v1/entries/', method: 'PUT', body: 'x', headers: {}, stored: 201 },
  {
    mount: '/cache/',
    method: 'POST',
    body: '{"value":1}',
    headers: { 'content-type': 'application/json' },
    stored: 200,
  },
  { mount: '/pickle/', method: 'POST', body: 'x', headers: {}, stored: 200 },
] as const;

for (const { mount, method, body, headers, stored } of FACES) {
  test(`under ${mount} one gets the token, the others when to ask again`, async (t) => {
    const { send, clock, codeOf } = leasesOver(t);
    const first = await send('GET', `${mount}k`, LEASE);
    assert.equal(first.status, 404);
    assert.equal(first.headers['cache-control'], 'no-store');
    assert.equal(first.headers['retry-after'], undefined);
    const token = String(first.headers['cache-lease-token']);
    clock.nowMs += 10_500;
    const second = await send('GET', `${mount}k`, LEASE);
    assert.deepEqual([second.status, codeOf(second)], [404, 'CACHE_MISS']);
    assert.equal(second.headers['cache-lease-token'], undefined);
    assert.equal(second.headers['retry-after'], '20');
    assert.equal(second.headers['preference-applied'], undefined);
    const plain = await send('GET', `${mount}k`);
    assert.equal(plain.headers['retry-after'], undefined, 'who asks for no lease hears of none');
    const done = await send(method, `${mount}k`, { ...headers, 'cache-lease-token': token }, body);
    assert.equal(done.status, stored);
    const late = await send(method, `${mount}k`, { ...headers, 'cache-lease-token': token }, body);
    assert.deepEqual([late.status, codeOf(late)], [409, 'LEASE_LOST']);
    const hit = await send('GET', `${mount}k`, LEASE);
    assert.equal(hit.status, 200);
    assert.equal(hit.headers['cache-lease-token'], undefined);
  });

  test(`under ${mount} who prefers to wait gets the entry`, async (t) => {
    const { send, store, tokenFor, counters } = leasesOver(t);
    const token = await tokenFor(`${mount}k`);
    const waiting = send('GET', `${mount}k`, { ...LEASE, prefer: 'respond-async, wait=10' });
    await until(() => store.waiters === 1);
    await send(method, `${mount}k`, { ...headers, 'cache-lease-token': token }, body);
    const { status, headers: shown } = await waiting;
    assert.equal(status, 200);
    assert.equal(shown['cache-lease-token'], undefined);
    assert.deepEqual([counters.hit, counters.miss], [1, 1]);
    assert.equal(store.unreleased, 0);
  });
}

test('a wait that ends says so, and the seconds are at most 60', async (t) => {
  const { send, store, tokenFor } = leasesOver(t);
  await tokenFor('/v1/entries/k');
  for (const [asked, applied] of [
    ['wait=10', 'wait=10'],
    ['return=minimal; wait="500"', 'wait=60'],
  ] as const) {
    const waiting = send('GET', '/v1/entries/k', { ...LEASE, prefer: asked });
    await until(() => store.waiters === 1);
    store.endWaits();
    const { status, headers } = await waiting;
    assert.equal(status, 404);
    assert.equal(headers['preference-applied'], applied);
    assert.ok(Number(headers['retry-after']) >= 1);
    assert.equal(headers['cache-status'], 'BigCache; detail=never-seen');
  }
  for (const prefer of ['wait=0', 'wait=soon', 'await=10', 'wait=-1']) {
    const { headers } = await send('GET', '/v1/entries/k', { ...LEASE, prefer });
    assert.equal(headers['preference-applied'], undefined, prefer);
  }
});

test('a lease is of 1 to 300 seconds, and a token is a token', async (t) => {
  const { send, codeOf } = leasesOver(t);
  for (const seconds of ['0', '301', '-1', '1.5', '30s', '', '30, 30', '99999999999']) {
    const answer = await send('GET', '/v1/entries/k', { 'cache-lease': seconds });
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'REQUEST_INVALID'], seconds);
  }
  for (const seconds of ['1', '300']) {
    const { status } = await send('GET', `/v1/entries/${seconds}`, { 'cache-lease': seconds });
    assert.equal(status, 404);
  }
  for (const token of ['', 'x'.repeat(129)]) {
    const answer = await send('PUT', '/v1/entries/k', { 'cache-lease-token': token }, 'x');
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'REQUEST_INVALID']);
  }
  const unknown = await send('PUT', '/v1/entries/k', { 'cache-lease-token': 'unknown' }, 'x');
  assert.deepEqual([unknown.status, codeOf(unknown)], [409, 'LEASE_LOST']);
});

test('a stale entry is shown to all, with the token to one, and that answer is not stored', async (t) => {
  const { send, clock } = leasesOver(t);
  const windows = { 'cache-control': 'max-age=10, stale-while-revalidate=100' };
  await send('PUT', '/v1/entries/k', windows, 'old');
  clock.nowMs += 20_000;
  const first = await send('GET', '/v1/entries/k', { ...LEASE, prefer: 'wait=10' });
  const second = await send('GET', '/v1/entries/k', { ...LEASE, prefer: 'wait=10' });
  assert.deepEqual(
    [first.status, first.body, second.status, second.body],
    [200, 'old', 200, 'old'],
  );
  assert.ok(first.headers['cache-lease-token'] !== undefined);
  assert.equal(first.headers['cache-control'], 'no-store');
  assert.equal(second.headers['cache-lease-token'], undefined);
  assert.match(String(second.headers['cache-control']), /^max-age=10/);
  assert.equal(second.headers['cache-status'], 'BigCache; hit; ttl=-10');
});

test('HEAD asks for a lease as GET does', async (t) => {
  const { send } = leasesOver(t);
  const { status, headers } = await send('HEAD', '/v1/entries/k', LEASE);
  assert.equal(status, 404);
  assert.ok(headers['cache-lease-token'] !== undefined);
});

test('a holder gives up by its token, once', async (t) => {
  const { send, store, tokenFor, codeOf } = leasesOver(t);
  const token = await tokenFor('/v1/entries/a/b?c=1');
  const waiting = send('GET', '/v1/entries/a/b?c=1', { ...LEASE, prefer: 'wait=10' });
  await until(() => store.waiters === 1);
  const none = await send('DELETE', '/v1/leases/a/b?c=1');
  assert.deepEqual([none.status, codeOf(none)], [400, 'REQUEST_INVALID']);
  const mine = { 'cache-lease-token': token };
  assert.equal((await send('DELETE', '/v1/leases/a/b?c=1', mine)).status, 204);
  const { status, headers } = await waiting;
  assert.equal(status, 404);
  assert.ok(headers['cache-lease-token'] !== undefined && headers['cache-lease-token'] !== token);
  const again = await send('DELETE', '/v1/leases/a/b?c=1', mine);
  assert.deepEqual([again.status, codeOf(again)], [404, 'LEASE_NOT_FOUND']);
});

test('a client that goes waits no more, and a lease that it would have got goes on', async (t) => {
  const made = await listening(t);
  const { store } = made;
  const { headers } = await made.app.inject({
    url: '/v1/entries/k',
    headers: { host: 'localhost', ...LEASE },
  });
  const leaving = made.connect();
  const wait = ['Cache-Lease: 30', 'Prefer: wait=20'];
  leaving.write(request('GET /v1/entries/k', wait));
  await until(() => store.waiters === 1);
  leaving.destroy();
  await once(leaving, 'close');
  await until(() => store.waiters === 0);
  const next = made.exchange(request('GET /v1/entries/k', wait));
  await until(() => store.waiters === 1);
  await store.releaseLease('k', String(headers['cache-lease-token']));
  assert.match(await next, /^cache-lease-token: /im);
});

test('a client that ends its side is told at once, and gets no lease: it may be gone', async (t) => {
  const made = await listening(t);
  const { store } = made;
  const asked = request('GET /v1/entries/k', ['Cache-Lease: 30', 'Prefer: wait=20']);
  const { getLeased } = store;
  store.getLeased = async (...args) => {
    // As long as the end of the stream takes to arrive.
    await new Promise((resolve) => setTimeout(resolve, 50));
    return getLeased.apply(store, args);
  };
  for (const isHeldByOther of [false, true]) {
    const socket = made.connect();
    const answer = received(socket, asked);
    socket.end();
    assert.match(await answer, /^HTTP\/1\.1 404 [\s\S]*retry-after: \d/);
    assert.doesNotMatch(await answer, /cache-lease-token/i);
    if (isHeldByOther) break;
    const holder = await made.exchange(asked);
    assert.match(holder, /cache-lease-token: /i);
  }
  store.getLeased = getLeased;
  const waiting = made.connect();
  const answer = received(waiting, asked);
  await until(() => store.waiters === 1);
  waiting.end();
  assert.match(await answer, /^HTTP\/1\.1 404 [\s\S]*retry-after: \d/);
  assert.equal(store.waiters, 0);
});

test('who waits while the server stops is told so', async (t) => {
  const made = fixture(t);
  const url = '/v1/entries/k';
  const headers = { host: 'localhost', ...LEASE, prefer: 'wait=10' };
  await made.app.inject({ url, headers });
  const waiting = made.app.inject({ url, headers });
  await until(() => made.store.waiters === 1);
  made.isDraining = true;
  made.store.endWaits();
  const answer = await waiting;
  assert.deepEqual([answer.statusCode, answer.json().code], [503, 'SHUTTING_DOWN']);
});

test('the time from lease to write is what the entry has cost, and hits save it', async (t) => {
  const { send, tokenFor, clock, store } = leasesOver(t);
  const token = await tokenFor('/v1/entries/shop/1');
  clock.nowMs += 450;
  await send('PUT', '/v1/entries/shop/1', { 'cache-lease-token': token }, 'x');
  const record = await store.find('shop/1');
  assert.equal('found' in record ? undefined : record.costMs, 450);
  await send('GET', '/v1/entries/shop/1');
  await send('GET', '/pickle/shop/1');
  const { body, status } = await send('GET', '/v1/stats');
  assert.equal(status, 200);
  const { timeSaved, reads } = JSON.parse(body);
  assert.deepEqual(timeSaved, {
    hits: 2,
    savedMs: 900,
    bySegment: [{ segment: 'shop', hits: 2, savedMs: 900 }],
  });
  assert.deepEqual(reads, { hit: 2, stale: 0, miss: 1, expired: 0 });
});

test('a lease whose answer is refused is given back', async (t) => {
  const { send, clock, codeOf } = leasesOver(t);
  const windows = { 'cache-control': 'max-age=10, stale-while-revalidate=100' };
  await send('PUT', '/v1/entries/k', windows, 'old');
  clock.nowMs += 20_000;
  const refused = await send('GET', '/v1/entries/k', { ...LEASE, 'if-match': '"other"' });
  assert.equal(codeOf(refused), new BigCacheError('PRECONDITION_FAILED').code);
  const { headers } = await send('GET', '/v1/entries/k', LEASE);
  assert.ok(headers['cache-lease-token'] !== undefined);
});
