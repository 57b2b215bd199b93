/** `/metrics` and `/v1/stats` of an application: what stands there before, and after, requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OTHER_STATUS } from '../../../src/workers/metrics/traffic.ts';
import { type Fixture, fixture, listening, until } from '../app-fixture.ts';
import { type ParsedFamily, parseExposition, seriesOf, seriesValue } from './exposition-parser.ts';

type Families = Map<string, ParsedFamily>;

async function metricsOf({ app }: Fixture): Promise<Families> {
  const answer = await app.inject({ url: '/metrics' });
  assert.equal(answer.statusCode, 200);
  return parseExposition(answer.body);
}

const requestsOf = (families: Families, route: string, method: string, status: string): number =>
  seriesValue(families, 'bigcache_http_requests_total', { route, method, status });

const seriesIn = (families: Families): string[] =>
  [...families.values()].flatMap(({ samples }) => samples.map((sample) => seriesOf(sample)));

test('the text is of the type that Prometheus asks for, and is not kept', async (t) => {
  const { app } = fixture(t);
  const { headers } = await app.inject({ url: '/metrics' });
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(headers['cache-control'], 'no-store');
  const head = await app.inject({ method: 'HEAD', url: '/metrics' });
  assert.equal(head.statusCode, 200);
  assert.ok(Number(head.headers['content-length']) > 10_000);
});

test('every series is there before the first request, and no other comes with more', async (t) => {
  const made = fixture(t);
  const before = await metricsOf(made);
  for (const { name, type, samples } of before.values()) {
    const isCount =
      type === 'counter' && !name.includes('cpu') && !name.startsWith('bigcache_http');
    for (const { value } of samples) if (isCount) assert.equal(value, 0, name);
  }
  await made.app.inject({ method: 'PUT', url: '/v1/entries/a', payload: 'x' });
  await made.app.inject({ url: '/v1/entries/a' });
  await made.app.inject({ url: '/cache/%ff' });
  await made.app.inject({ url: '/nowhere/at/all' });
  await made.app.inject({ method: 'PATCH', url: '/cache/a' });
  await made.app.inject({ url: '/docs' });
  assert.deepEqual(seriesIn(await metricsOf(made)), seriesIn(before));
});

test('requests are counted by declared route and status, never by path', async (t) => {
  const made = fixture(t);
  const { app } = made;
  const route = '/v1/entries/{key}';
  for (const key of ['a', 'b']) await app.inject({ method: 'PUT', url: `/v1/entries/${key}` });
  await app.inject({ url: '/v1/entries/a' });
  await app.inject({ method: 'HEAD', url: '/v1/entries/a' });
  await app.inject({ url: '/v1/entries/none?secret=1' });
  await app.inject({ url: '/v1/entries/a', headers: { host: 'evil.example' } });
  await app.inject({ url: '/v1/purges/1' });
  await app.inject({ url: '/nowhere' });
  await app.inject({ method: 'PUT', url: '/cache/a' });
  const families = await metricsOf(made);
  assert.equal(requestsOf(families, route, 'PUT', '201'), 2);
  assert.equal(requestsOf(families, route, 'GET', '200'), 2);
  assert.equal(requestsOf(families, route, 'GET', '404'), 1);
  assert.equal(requestsOf(families, route, 'GET', '421'), 1);
  assert.equal(requestsOf(families, '/v1/purges/{id}', 'GET', '404'), 1);
  assert.equal(requestsOf(families, 'unmatched', 'any', '404'), 1);
  assert.equal(requestsOf(families, 'unmatched', 'any', '405'), 1);
  assert.doesNotMatch(seriesIn(families).join('\n'), /secret|nowhere|none/);
  const labels = { route, method: 'GET' };
  assert.equal(seriesValue(families, 'bigcache_http_request_duration_seconds_count', labels), 4);
  for (const series of families.get('bigcache_http_requests_total')?.samples ?? []) {
    if (series.labels.get('status') === OTHER_STATUS)
      assert.equal(series.value, 0, seriesOf(series));
  }
});

test('the files of the documentation are counted together', async (t) => {
  const made = fixture(t);
  await made.app.inject({ url: '/docs' });
  await made.app.inject({ url: '/docs/static/none.js' });
  await made.app.inject({ url: '/docs', headers: { host: 'evil.example' } });
  const families = await metricsOf(made);
  assert.equal(requestsOf(families, '/docs', 'GET', '200'), 1);
  assert.equal(requestsOf(families, '/docs', 'GET', '421'), 1);
  assert.equal(requestsOf(families, 'unmatched', 'any', '404'), 1);
});

test('reads are told apart: hit, stale, miss, expired', async (t) => {
  const clock = { nowMs: 1_700_000_000_000 };
  const made = fixture(t, { now: () => clock.nowMs });
  const { app } = made;
  const headers = { 'cache-control': 'max-age=10, stale-while-revalidate=10' };
  await app.inject({ method: 'PUT', url: '/v1/entries/a', headers, payload: 'x' });
  await app.inject({ url: '/v1/entries/a' });
  await app.inject({ url: '/v1/entries/a' });
  clock.nowMs += 15_000;
  await app.inject({ url: '/v1/entries/a' });
  clock.nowMs += 10_000;
  await app.inject({ url: '/v1/entries/a' });
  await app.inject({ url: '/v1/entries/none' });
  const families = await metricsOf(made);
  const reads = (result: string): number =>
    seriesValue(families, 'bigcache_reads_total', { result });
  assert.deepEqual(['hit', 'stale', 'miss', 'expired'].map(reads), [2, 1, 1, 1]);
});

test('a read in a batch counts like all others, stale or not', async (t) => {
  const clock = { nowMs: 1_700_000_000_000 };
  const made = fixture(t, { now: () => clock.nowMs });
  const headers = { 'cache-control': 'max-age=10, stale-while-revalidate=10' };
  await made.app.inject({ method: 'PUT', url: '/v1/entries/a', headers, payload: 'x' });
  clock.nowMs += 15_000;
  const items = ['a', 'none'].map((key) => ({ op: 'get', key }));
  await made.app.inject({
    method: 'POST',
    url: '/v1/batch',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify({ items }),
  });
  const families = await metricsOf(made);
  const reads = (result: string): number =>
    seriesValue(families, 'bigcache_reads_total', { result });
  assert.deepEqual(['hit', 'stale', 'miss', 'expired'].map(reads), [0, 1, 1, 0]);
});

test('the JSON has the same figures', async (t) => {
  const made = fixture(t);
  await made.app.inject({ method: 'PUT', url: '/v1/entries/a', payload: 'x' });
  await made.app.inject({ url: '/v1/entries/a' });
  const stats = (await made.app.inject({ url: '/v1/stats' })).json();
  assert.deepEqual(stats.reads, { hit: 1, stale: 0, miss: 0, expired: 0 });
  assert.equal(stats.requests['/v1/entries/{key}'].PUT['201'], 1);
  const { count, mean, p50, p99 } = stats.latencyMs['/v1/entries/{key}'].GET;
  assert.equal(count, 1);
  assert.ok(mean > 0 && p50 > 0 && p99 >= p50);
  assert.deepEqual(stats.leases, {
    held: 0,
    waiting: 0,
    given: 0,
    handedOver: 0,
    lost: 0,
    refused: 0,
  });
  assert.deepEqual(stats.versions, { '1.2.3': 1 });
});

test('the document describes every member of the JSON, and its example has them all', async (t) => {
  const { app } = fixture(t);
  const document = (await app.inject({ url: '/openapi.json' })).json();
  const content = document.paths['/v1/stats'].get.responses['200'].content['application/json'];
  const stats = (await app.inject({ url: '/v1/stats' })).json();
  const { properties, required, examples = [content.example] } = content.schema;
  assert.deepEqual(Object.keys(properties).sort(), Object.keys(stats).sort());
  assert.deepEqual([...required].sort(), Object.keys(stats).sort());
  assert.deepEqual(Object.keys(examples[0] ?? {}).sort(), Object.keys(stats).sort());
  const text = document.paths['/metrics'].get.responses['200'].content['text/plain'];
  assert.equal(text.schema.type, 'string');
});

test('requests that are slow are logged with what helps to find them', async (t) => {
  const made = fixture(t, { config: { slowMs: 0 } });
  const url = '/v1/entries/a%E2%80%AEb?q=1';
  const headers = { 'x-request-id': 'from-the-client' };
  const { statusCode } = await made.app.inject({ method: 'PUT', url, headers, payload: 'body' });
  assert.equal(statusCode, 201);
  const [line] = made.logged as [Record<string, unknown>];
  const { totalMs, storeMs, ...said } = line;
  assert.deepEqual(said, {
    requestId: 'from-the-client',
    route: '/v1/entries/{key}',
    method: 'PUT',
    key: 'a\\u{202e}b?q=1',
    status: 201,
    bytes: 0,
  });
  assert.ok(Number.isInteger(totalMs) && Number.isInteger(storeMs));
  const families = await metricsOf(made);
  assert.equal(seriesValue(families, 'bigcache_http_slow_requests_total'), 1);
});

test('the key of a slow request is cut, and one that is none is told as it was sent', async (t) => {
  const made = fixture(t, { config: { slowMs: 0 } });
  await made.app.inject({ url: `/v1/entries/${'k'.repeat(5000)}` });
  await made.app.inject({ url: '/v1/entries/a%00b' });
  await made.app.inject({ url: '/stat' });
  const [long, broken, keyless] = made.logged as Record<string, unknown>[];
  assert.equal(long?.['key'], `${'k'.repeat(200)}... (4800 more)`);
  assert.equal(broken?.['key'], 'a%00b');
  assert.equal(broken?.['status'], 400);
  assert.ok(keyless !== undefined && !('key' in keyless));
});

test('requests that are not slow are not logged', async (t) => {
  const made = fixture(t);
  await made.app.inject({ url: '/v1/entries/a' });
  assert.deepEqual(made.logged, []);
});

test('what a lease is waited for makes no request slow', async (t) => {
  const made = fixture(t, { config: { slowMs: 80 } });
  const headers = { 'cache-lease': '30', prefer: 'wait=10' };
  await made.app.inject({ url: '/v1/entries/k', headers });
  const waiting = made.app.inject({ url: '/v1/entries/k', headers });
  await until(() => made.store.waiters === 1);
  await new Promise((resolve) => setTimeout(resolve, 120));
  await made.app.inject({ method: 'PUT', url: '/v1/entries/k', payload: 'x' });
  assert.equal((await waiting).statusCode, 200);
  assert.deepEqual(made.logged, []);
  const families = await metricsOf(made);
  const labels = { route: '/v1/entries/{key}', method: 'GET' };
  const name = 'bigcache_http_request_duration_seconds_sum';
  assert.ok(seriesValue(families, name, labels) < 0.1);
});

test('an id comes back to who sent one, and with every fault of ours', async (t) => {
  const made = fixture(t);
  const { app, store } = made;
  const sent = await app.inject({ url: '/stat', headers: { 'x-request-id': 'abc-1' } });
  assert.equal(sent.headers['x-request-id'], 'abc-1');
  const none = await app.inject({ url: '/stat' });
  assert.equal(none.headers['x-request-id'], undefined);
  const hostile = await app.inject({ url: '/stat', headers: { 'x-request-id': 'a b"}\t{' } });
  assert.match(String(hostile.headers['x-request-id']), /^[\w-]{8}-[0-9a-z]+$/);
  const missed = await app.inject({ url: '/cache/a', headers: { 'x-request-id': 'abc-2' } });
  assert.deepEqual([missed.statusCode, missed.headers['x-request-id']], [404, 'abc-2']);
  store.count = () => Promise.reject(new Error('a fault'));
  const failed = await app.inject({ url: '/stat/count' });
  assert.equal(failed.statusCode, 500);
  const id = String(failed.headers['x-request-id']);
  assert.match(id, /^[\w-]{8}-[0-9a-z]+$/);
  const [line] = made.logged as Record<string, unknown>[];
  assert.deepEqual([line?.['requestId'], line?.['method']], [id, 'GET']);
});

test('a line of the log cannot be forged by an id', async (t) => {
  const server = await listening(t, { config: { slowMs: 0 } });
  const forged = 'X-Request-Id: a\\n{"level":60,"msg":"forged"}';
  await server.exchange(
    `GET /cache/a HTTP/1.1\r\nHost: localhost\r\n${forged}\r\nConnection: close\r\n\r\n`,
  );
  await until(() => server.logged.length === 1);
  assert.doesNotMatch(JSON.stringify(server.logged), /forged/);
});

test('probes say that the store takes writes, to anybody', async (t) => {
  const made = fixture(t);
  const ask = async (url: string): Promise<number> =>
    (await made.app.inject({ url, headers: { host: 'anything.example' } })).statusCode;
  assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [200, 200]);
  await made.store.close();
  assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [200, 503]);
});
