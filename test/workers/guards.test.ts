import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InjectOptions } from 'fastify';
import type { Config } from '../../src/protocol/config.ts';
import { type Fixture, fixture, listening } from './app-fixture.ts';

async function answerTo(
  { app }: Fixture,
  method: 'GET' | 'HEAD' | 'POST' | 'DELETE',
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<[status: number, code: unknown]> {
  const sent: InjectOptions = { method, url, headers: { host: 'localhost:36379', ...headers } };
  const answer = await app.inject(sent);
  const body = answer.body === '' ? {} : (answer.json() as { code?: unknown });
  return [answer.statusCode, body.code];
}

test('a browser is refused GET /clear and GET /close by any sign of it, and told the way', async (t) => {
  const made = fixture(t);
  const signs = [
    { origin: 'http://localhost:36379' },
    { referer: 'http://localhost:36379/docs' },
    { 'sec-fetch-site': 'none' },
    { 'sec-purpose': 'prefetch' },
    { purpose: 'prefetch' },
    { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' },
  ];
  for (const headers of signs) {
    for (const url of ['/clear', '/close']) {
      assert.deepEqual(await answerTo(made, 'GET', url, headers), [403, 'ADMIN_GET_REFUSED']);
    }
  }
  const answer = await made.app.inject({ url: '/clear', headers: { referer: 'http://x/' } });
  assert.match((answer.json() as { detail: string }).detail, /POST \/clear/);
});

test('clients that are no browsers may use the GET forms', async (t) => {
  const made = fixture(t);
  for (const agent of ['python-requests/2.32.0', 'curl/8.5.0', 'node']) {
    const headers = { 'user-agent': agent, 'sec-fetch-mode': 'cors' };
    assert.deepEqual(await answerTo(made, 'GET', '/clear', headers), [200, undefined]);
  }
  const server = await listening(t);
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/clear`)).status, 200);
});

test('without the GET forms, only POST clears and closes', async (t) => {
  const made = fixture(t, { config: { getAdmin: false } });
  for (const url of ['/clear', '/close']) {
    const answer = await made.app.inject({ url });
    assert.equal(answer.statusCode, 405);
    assert.equal(answer.headers.allow, 'POST');
    assert.equal((await made.app.inject({ method: 'POST', url })).statusCode, 200);
  }
});

test('pages of other origins may not change anything', async (t) => {
  const made = fixture(t);
  const foreign = [
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:8080' },
    { origin: 'null' },
    { origin: 'nonsense' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ];
  for (const headers of foreign) {
    assert.deepEqual(await answerTo(made, 'POST', '/clear', headers), [403, 'ORIGIN_REFUSED']);
    assert.deepEqual(await answerTo(made, 'POST', '/pickle/a', headers), [403, 'ORIGIN_REFUSED']);
    assert.deepEqual(await answerTo(made, 'DELETE', '/prefix/a', headers), [403, 'ORIGIN_REFUSED']);
    assert.deepEqual(await answerTo(made, 'GET', '/cache/a', headers), [404, 'CACHE_MISS']);
  }
  assert.equal(await made.store.count(), 0);
});

test('pages of this origin, and of allowed ones, may', async (t) => {
  const made = fixture(t, { config: { allowedOrigins: ['https://app.example'] } });
  for (const headers of [
    { origin: 'http://localhost:36379', 'sec-fetch-site': 'same-origin' },
    { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'http://localhost', host: 'localhost:80' },
    { 'sec-fetch-site': 'none' },
  ]) {
    assert.deepEqual(await answerTo(made, 'POST', '/clear', headers), [200, undefined]);
  }
});

test('on loopback only names that cannot be rebound are served', async (t) => {
  const made = fixture(t, { config: { allowedHosts: ['Cache.Example'] } });
  for (const host of [
    'localhost',
    'LOCALHOST:1',
    'localhost.',
    '127.0.0.1:36379',
    '[::1]:2',
    '10.1.2.3',
    'cache.example:99',
  ]) {
    assert.deepEqual(await answerTo(made, 'GET', '/cache/a', { host }), [404, 'CACHE_MISS'], host);
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example:80',
    '[::1',
    'a b',
  ]) {
    assert.deepEqual(await answerTo(made, 'GET', '/cache/a', { host }), [421, 'HOST_NOT_ALLOWED']);
    assert.deepEqual(await answerTo(made, 'GET', '/nowhere', { host }), [421, 'HOST_NOT_ALLOWED']);
    assert.deepEqual(await answerTo(made, 'GET', '/healthz', { host }), [200, undefined]);
    assert.deepEqual(await answerTo(made, 'GET', '/readyz', { host }), [200, undefined]);
  }
  const server = await listening(t);
  assert.match(await server.exchange('GET /cache/a HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 404 /);
});

test('beyond loopback every Host is served', async (t) => {
  for (const host of ['0.0.0.0', '192.168.1.7', '::']) {
    const made = fixture(t, { config: { host } satisfies Partial<Config> });
    const headers = { host: 'evil.example' };
    assert.deepEqual(await answerTo(made, 'GET', '/cache/a', headers), [404, 'CACHE_MISS']);
  }
});

test('a stop closes connections as soon as their last answer is out', async (t) => {
  const server = await listening(t);
  const socket = server.connect();
  await new Promise((resolve) => {
    socket.once('data', resolve);
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  });
  const startMs = Date.now();
  socket.write('POST /pickle/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const closed = server.app.close();
  socket.write('b');
  await closed;
  assert.ok(Date.now() - startMs < 2000);
  assert.equal(await server.store.count(), 1);
});

test('a closed store is said to be closed, and /open opens it again', async (t) => {
  const made = fixture(t);
  await made.app.inject({ method: 'POST', url: '/cache/a', payload: '{"value":1}' });
  assert.deepEqual(await answerTo(made, 'POST', '/close'), [200, undefined]);
  for (const [method, url] of [
    ['GET', '/cache/a'],
    ['GET', '/pickle/a'],
    ['POST', '/pickle/a'],
    ['DELETE', '/cache/a'],
    ['DELETE', '/prefix/a'],
    ['POST', '/clear'],
    ['GET', '/stat/count'],
    ['GET', '/readyz'],
  ] as const) {
    assert.deepEqual(await answerTo(made, method, url), [503, 'STORE_CLOSED'], `${method} ${url}`);
  }
  assert.deepEqual(await answerTo(made, 'GET', '/healthz'), [200, undefined]);
  assert.deepEqual(await answerTo(made, 'POST', '/open'), [200, undefined]);
  assert.deepEqual(await answerTo(made, 'GET', '/cache/a'), [200, undefined]);
});
