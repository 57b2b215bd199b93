/** Rows 24 to 49: methods, versions and framing that are not as HTTP has them. */
import assert from 'node:assert/strict';
import { request } from '../../raw-http.ts';
import { row } from './row.ts';
import { assertRefusal, SharedServer } from './shared-server.ts';

const server = SharedServer.withArguments(() => [
  ...['--workers', '1', '--allowed-hosts', 'cache.example'],
]);

const POST = 'POST /pickle/x HTTP/1.1\r\nHost: localhost\r\n';
const get = (...lines: string[]) => `GET /cache/a HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;

row('24', async () => {
  const answer = await server.refuses(request('PATCH /cache/a'), 405, 'METHOD_NOT_ALLOWED');
  assert.equal(answer.headers.get('allow'), 'DELETE, GET, HEAD, POST');
});

row('25', async () => {
  assert.equal((await server.ask('OPTIONS *')).status, 204);
});

row('26', async () => {
  await server.refuses(request('BREW /cache/a'), 400, 'REQUEST_INVALID');
});

row('27', async () => {
  await server.refuses(request('QUERY /cache/a'), 405, 'METHOD_NOT_ALLOWED');
});

row('28', async () => {
  await server.refuses(request('TRACE /cache/a'), 405, 'METHOD_NOT_ALLOWED');
});

row('29', async () => {
  assert.deepEqual(await server.exchange(request('CONNECT evil:443')), []);
});

row('30', async () => {
  const upgrade = get('Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade, close');
  await server.refuses(upgrade, 404, 'CACHE_MISS');
});

row('31', async () => {
  const target = await server.store('head');
  const [read, headed] = [
    await server.ask(`GET /cache/${target}`),
    await server.ask(`HEAD /cache/${target}`),
  ];
  for (const name of ['content-type', 'content-length', 'cache-control']) {
    assert.equal(headed.headers.get(name), read.headers.get(name), name);
  }
  assert.equal(Number(headed.headers.get('content-length')), read.body.length);
  assert.deepEqual([headed.status, headed.body.length], [200, 0]);
});

row('32', async () => {
  await server.refuses(get('Connection: close'), 400, 'REQUEST_INVALID');
});

row('33', async () => {
  for (const second of ['Host: localhost', 'HOST: other']) {
    await server.refuses(request('GET /cache/a', [second]), 400, 'REQUEST_INVALID');
  }
});

row('34', async () => {
  const from = (target: string, host: string) =>
    server.answer(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  assertRefusal(await from('/cache/a', 'evil.example'), 421, 'HOST_NOT_ALLOWED');
  for (const host of ['127.0.0.1', '[::1]:80', '10.1.2.3:9', 'localhost', 'cache.example:1']) {
    assertRefusal(await from('/cache/a', host), 404, 'CACHE_MISS', host);
  }
  for (const probe of ['/healthz', '/readyz']) {
    assert.equal((await from(probe, 'evil.example')).status, 200, probe);
  }
});

row('35', async () => {
  assert.equal((await server.answer('GET /healthz HTTP/1.0\r\n\r\n')).status, 200);
});

row('36', async () => {
  await server.refuses('GET /cache/a\r\n\r\n', 400, 'REQUEST_INVALID');
});

row('37', async () => {
  await server.refuses('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'REQUEST_INVALID');
});

row('38', async () => {
  const hello = Buffer.from('16030100f5010000f10303', 'hex');
  await server.refuses(hello, 400, 'REQUEST_INVALID');
});

row('39', async () => {
  const both = `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  await server.refuses(both, 400, 'REQUEST_INVALID');
});

row('40', async () => {
  for (const second of [3, 4]) {
    const twice = `${POST}Content-Length: 3\r\nContent-Length: ${second}\r\n\r\nabcd`;
    await server.refuses(twice, 400, 'REQUEST_INVALID');
  }
});

row('41', async () => {
  for (const length of ['+2', '-1', '1'.repeat(21)]) {
    await server.refuses(`${POST}Content-Length: ${length}\r\n\r\nab`, 400, 'REQUEST_INVALID');
  }
});

row('42', async () => {
  await server.refuses(`${POST}Content-Length: 5000000000\r\n\r\n`, 413, 'BODY_TOO_LARGE');
});

row('43', async () => {
  const coded = `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`;
  await server.refuses(coded, 400, 'REQUEST_INVALID');
});

row('44', async () => {
  const coded = `${POST}Transfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`;
  await server.refuses(coded, 501, 'NOT_IMPLEMENTED');
});

row('45', async () => {
  for (const size of ['xyz', '-1', '1FFFFFFFFFFFFFFED']) {
    const chunk = `${POST}Transfer-Encoding: chunked\r\n\r\n${size}\r\nabc`;
    await server.refuses(chunk, 400, 'REQUEST_INVALID');
  }
});

row('47', async () => {
  for (const head of [
    'GET /cache/a HTTP/1.1\nHost: localhost\n\n',
    get('Host: localhost', 'X: a', ' b'),
    get('Host: localhost', 'X : y'),
    get('Host: localhost', 'X: a\u0000b'),
  ]) {
    await server.refuses(head, 400, 'REQUEST_INVALID');
  }
});

row('48', async () => {
  const large = request('GET /cache/a', [`X: ${'y'.repeat(17_000)}`]);
  await server.refuses(large, 431, 'HEADERS_TOO_LARGE');
});

row('49', async () => {
  const many = Array.from({ length: 2100 }, () => 'a:b');
  await server.refuses(request('GET /cache/a', many), 431, 'HEADERS_TOO_LARGE');
});
