import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Kind } from '../../src/protocol/record.ts';
import { type Listening, listening, received, request, until } from './app-fixture.ts';

const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));

async function expectStatus(
  server: Listening,
  bytes: string | Buffer,
  status: number,
): Promise<void> {
  const answer = await server.exchange(bytes);
  const title = JSON.stringify(bytes.toString('latin1').slice(0, 120));
  assert.deepEqual(statusesOf(answer), [status], `${title}: ${answer}`);
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
  if (status >= 400) {
    assert.deepEqual(Object.keys(JSON.parse(body) as object).sort(), ['code', 'detail'], title);
  }
}

test('requests that break HTTP are answered with a code and closed', async (t) => {
  const server = await listening(t);
  const post = 'POST /pickle/x HTTP/1.1\r\nHost: localhost\r\n';
  const cases: readonly (readonly [bytes: string | Buffer, status: number])[] = [
    [request('BREW /cache/a'), 400],
    ['GET /cache/a HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    [request('GET /cache/a', ['Host: localhost']), 400],
    [request('GET /cache/a', ['HOST: other']), 400],
    ['GET /cache/a\r\n\r\n', 400],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    [Buffer.from('16030100f5010000f10303', 'hex'), 400],
    [`${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`${post}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
    [`${post}Content-Length: +2\r\n\r\nab`, 400],
    [`${post}Content-Length: -1\r\n\r\nab`, 400],
    [`${post}Content-Length: 111111111111111111111\r\n\r\nab`, 400],
    [`${post}Content-Length: 5000000000\r\n\r\n`, 413],
    [`${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
    [`${post}Transfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`, 501],
    [`${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, 400],
    [`${post}Transfer-Encoding: chunked\r\n\r\n1FFFFFFFFFFFFFFED\r\nabc`, 400],
    ['GET /cache/a HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n', 400],
    ['GET /cache/a HTTP/1.1\nHost: localhost\n\n', 400],
    ['GET /cache/a HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n', 400],
    ['GET /cache/a HTTP/1.1\r\nHost: localhost\r\nX: a\u0000b\r\n\r\n', 400],
    [request('GET /cache/a', [`X: ${'y'.repeat(17_000)}`]), 431],
    [
      request(
        'GET /cache/a',
        Array.from({ length: 2100 }, () => 'a:b'),
      ),
      431,
    ],
    [request('POST /pickle/x', ['Content-Length: 1', 'Expect: bananas'], 'x'), 417],
  ];
  for (const [bytes, status] of cases) await expectStatus(server, bytes, status);
  assert.equal(await server.store.count(), 0);
});

test('a chunk that claims nearly 2^64 bytes stores nothing, and is cut when no more comes', async (t) => {
  const server = await listening(t, { limits: { bodyStallMs: 50, bodyCheckMs: 10 } });
  const head = 'POST /pickle/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  await expectStatus(server, `${head}FFFFFFFFFFFFFFED\r\nabc`, 408);
  assert.equal(await server.store.count(), 0);
});

test('HTTP/1.0 is served and closed, an upgrade is ignored, CONNECT is cut', async (t) => {
  const server = await listening(t);
  const answer = await server.exchange('GET /healthz HTTP/1.0\r\n\r\n');
  assert.deepEqual(statusesOf(answer), [200]);
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade, close'];
  assert.deepEqual(statusesOf(await server.exchange(request('GET /healthz', upgrade))), [200]);
  assert.equal(await server.exchange(request('CONNECT evil:443')), '');
});

test('pipelined requests are answered in their order', async (t) => {
  const server = await listening(t);
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const answer = await server.exchange(
    get('/cache/none') + get('/healthz') + request('GET /nowhere'),
  );
  assert.deepEqual(statusesOf(answer), [404, 200, 404]);
});

test('pipelined reads by the thousand that are cut off give everything back', async (t) => {
  const server = await listening(t);
  await server.store.put('big', RAW, Buffer.alloc(100_000));
  await server.store.put('streamed', RAW, Buffer.alloc(3_000_000));
  for (const [key, times] of [
    ['big', 1000],
    ['streamed', 50],
  ] as const) {
    const socket = server.connect();
    socket.write(`GET /pickle/${key} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(times));
    socket.once('data', () => socket.resetAndDestroy());
    await new Promise((resolve) => socket.once('close', resolve));
    await until(() => server.store.unreleased === 0);
  }
});

test('a pipelined read takes its body only when its answer may leave', async (t) => {
  const server = await listening(t);
  const bodies = Array.from({ length: 200 }, (_, nth) => Buffer.alloc(1024 * 1024, nth));
  for (const [nth, body] of bodies.entries()) await server.store.put(`${nth}`, RAW, body);
  let most = 0;
  const { get } = server.store;
  server.store.get = async (...args) => {
    const found = await get.apply(server.store, args);
    most = Math.max(most, server.store.unreleased);
    return found;
  };
  const heads = bodies.map((_, nth) => `GET /pickle/${nth} HTTP/1.1\r\nHost: localhost\r\n`);
  const answer = await server.exchange(`${heads.join('\r\n')}Connection: close\r\n\r\n`);
  const parts = answer.split(/HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)+\r\n/).slice(1);
  assert.equal(parts.length, 200);
  for (const [nth, part] of parts.entries()) {
    assert.ok(Buffer.from(part, 'latin1').equals(bodies[nth] ?? Buffer.alloc(0)), `${nth}`);
  }
  assert.ok(most <= 2, `${most} bodies at once`);
  assert.equal(server.store.unreleased, 0);
});

test('pipelined reads of a client that has left are not carried out', async (t) => {
  const server = await listening(t);
  await server.store.put('k', RAW, Buffer.alloc(20_000_000));
  const socket = server.connect();
  socket.pause();
  socket.write('GET /pickle/k HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100));
  await until(() => server.store.unreleased === 1);
  socket.resetAndDestroy();
  await until(() => server.store.unreleased === 0);
  assert.equal(server.counters.hit, 1);
  assert.deepEqual(server.logged, []);
});

const RAW = { kind: Kind.raw, expiresAtMs: 0, contentType: null, expire: null, duration: null };

test('a reader that leaves in mid-download gives its content back', async (t) => {
  const server = await listening(t);
  await server.store.put('k', RAW, Buffer.alloc(20_000_000));
  const socket = server.connect();
  socket.write('GET /pickle/k HTTP/1.1\r\nHost: localhost\r\n\r\n');
  socket.once('data', () => {
    socket.pause();
    assert.equal(server.store.unreleased, 1);
    socket.resetAndDestroy();
  });
  await until(() => server.store.unreleased === 1);
  await until(() => server.store.unreleased === 0);
});

test('a reader that never reads is cut', async (t) => {
  const server = await listening(t, { limits: { sendStallMs: 100 } });
  await server.store.put('k', RAW, Buffer.alloc(20_000_000));
  await server.store.put('whole', RAW, Buffer.alloc(1_000_000));
  for (const target of ['/pickle/k', '/pickle/whole']) {
    const socket = server.connect();
    socket.pause();
    const get = `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    socket.write(get.repeat(target === '/pickle/k' ? 1 : 20));
    await until(() => server.store.unreleased > 0);
    await until(() => server.store.unreleased === 0);
  }
});

test('a HEAD whose fields are too large is refused without a body, also by the parser', async (t) => {
  const server = await listening(t);
  const large = [`X: ${'y'.repeat(17_000)}`];
  const bodyOf = async (bytes: string): Promise<string> => {
    const answer = await server.exchange(bytes);
    return answer.slice(answer.lastIndexOf('\r\n\r\n') + 4);
  };
  assert.equal(await bodyOf(request('HEAD /cache/a', large)), '');
  assert.match(await bodyOf(request('GET /cache/a', large)), /HEADERS_TOO_LARGE/);
});

test('a client that takes none of its answers is cut, whatever they are', async (t) => {
  const server = await listening(t, { limits: { sendStallMs: 100 } });
  for (const target of ['/openapi.json', '/docs/static/swagger-ui-bundle.js']) {
    const socket = server.connect();
    socket.pause();
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(300));
    await new Promise((resolve) => socket.once('connect', resolve));
    const count = promisify(server.app.server.getConnections.bind(server.app.server));
    for (const startMs = Date.now(); (await count()) > 0; ) {
      assert.ok(Date.now() - startMs < 5000, target);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});

test('streamed bodies arrive whole, each chunk sent before the next is read', async (t) => {
  const server = await listening(t);
  const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 251));
  await server.store.put('k', RAW, body);
  const answer = await server.exchange(request('GET /pickle/k'));
  assert.ok(Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1').equals(body));
});

test('a GET with a body is answered, and the connection goes on', async (t) => {
  const server = await listening(t);
  const answer = await server.exchange(
    `GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello${request('GET /healthz')}`,
  );
  assert.deepEqual(statusesOf(answer), [200, 200]);
});

test('headers that come too slowly are answered with 408', async (t) => {
  const limits = { headersTimeoutMs: 60, connectionsCheckMs: 20 };
  const server = await listening(t, { limits });
  const answer = await server.exchange('GET /healthz HTTP/1.1\r\nHost: loc');
  assert.deepEqual(statusesOf(answer), [408]);
  assert.match(answer, /"REQUEST_TIMEOUT"/);
});

test('a request whose client has sent its end is answered all the same', async (t) => {
  const server = await listening(t);
  const socket = server.connect();
  const answer = received(socket, request('GET /healthz'));
  socket.end();
  assert.deepEqual(statusesOf(await answer), [200]);
});

test('a malformed request after a started answer cuts the connection, with no byte of its own', async (t) => {
  const server = await listening(t);
  await server.store.put('k', RAW, Buffer.alloc(20_000_000));
  const socket = server.connect();
  const chunks: Buffer[] = [];
  socket.write('GET /pickle/k HTTP/1.1\r\nHost: localhost\r\n\r\n');
  socket.once('data', () => socket.write('garbage\r\n\r\n'));
  socket.on('data', (chunk) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  assert.deepEqual(statusesOf(Buffer.concat(chunks).toString('latin1')), [200]);
});
