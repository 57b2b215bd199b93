import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Kind } from '../../src/protocol/record.ts';
import { listening, request, until } from './app-fixture.ts';

const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));

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

test('as many requests as one read holds are answered, however short they are', async (t) => {
  const server = await listening(t);
  const short = 'GET /c/ HTTP/1.1\r\nHost:\r\n\r\n';
  const times = Math.floor((64 * 1024) / short.length);
  const last = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const answer = await server.exchange(short.repeat(times) + last);
  assert.equal(statusesOf(answer).length, times + 1);
  assert.equal(server.traffic.counts.connectionsCut, 0);
});

test('a client with more requests than may wait behind one that takes long is cut off', async (t) => {
  const server = await listening(t);
  let answer = (): void => undefined;
  const slow = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { count } = server.store;
  server.store.count = () => slow.then(() => count.call(server.store));
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const patient = server.connect();
  patient.write(get('/stat/count') + get('/pickle/none').repeat(1000));
  const greedy = server.connect();
  greedy.on('error', () => undefined).resume();
  greedy.write(get('/stat/count') + get('/pickle/none').repeat(9000));
  await new Promise((resolve) => greedy.once('close', resolve));
  const misses = server.counters.miss;
  answer();
  let text = '';
  patient.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  await until(() => statusesOf(text).length === 1001);
  assert.equal(server.counters.miss - misses, 1000, 'those of the other are not carried out');
});

test('where very many requests wait, connections with more than their share are cut, and no others', async (t) => {
  const server = await listening(t, { limits: { queuedMax: 10 } });
  let answer = (): void => undefined;
  const slow = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { count } = server.store;
  server.store.count = () => slow.then(() => count.call(server.store));
  const texts = ['', '', ''];
  const sockets = texts.map((_, nth) => {
    const socket = server.connect();
    socket.on('error', () => undefined).setEncoding('latin1');
    socket.on('data', (piece: string) => {
      texts[nth] += piece;
    });
    return socket;
  });
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const [first, second, third] = sockets;
  first?.write(get('/stat/count') + get('/pickle/none').repeat(30));
  second?.write(get('/stat/count') + get('/pickle/none').repeat(40));
  await new Promise((resolve) => second?.once('close', resolve));
  third?.write(get('/stat/count') + get('/pickle/none').repeat(15));
  await until(() => server.traffic.counts.connectionsCut === 1);
  answer();
  await until(() => statusesOf(texts[0] ?? '').length === 31);
  await until(() => statusesOf(texts[2] ?? '').length === 16);
  assert.equal(texts[1], '');
});

test('streamed bodies arrive whole, each chunk sent before the next is read', async (t) => {
  const server = await listening(t);
  const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 251));
  await server.store.put('k', RAW, body);
  const answer = await server.exchange(request('GET /pickle/k'));
  assert.ok(Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1').equals(body));
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
