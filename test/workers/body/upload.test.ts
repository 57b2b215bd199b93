import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { Uploads } from '../../../src/workers/body/uploads.ts';
import { DEFAULT_LIMITS } from '../../../src/workers/limits.ts';
import { answersIn } from '../../raw-http.ts';
import { type Listening, listening, received, request, until } from '../app-fixture.ts';
import { MemoryStore } from '../store/memory-store.ts';

const KiB = 1024;
const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));

const post = (target: string, ...headers: string[]) => request(`POST ${target}`, headers);
const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

async function bodyOf(server: Listening, key: string): Promise<Buffer> {
  const answer = await server.app.inject({ url: `/pickle/${key}` });
  return answer.rawPayload;
}

test('a body of exactly the cap is taken, one byte more is not, chunked or not', async (t) => {
  const server = await listening(t, { config: { jsonBytesMax: 2000, bodyBytesMax: 2000 } });
  const bodyOfLength = (length: number) => `{"value":"${'x'.repeat(length - 12)}"}`;
  for (const target of ['/cache/a', '/pickle/a']) {
    for (const [length, status] of [
      [2000, 200],
      [2001, 413],
    ] as const) {
      const body = bodyOfLength(length);
      const known = post(target, `Content-Length: ${length}`) + body;
      assert.deepEqual(statusesOf(await server.exchange(known)), [status], `${target} ${length}`);
      const pieces = post(target, 'Transfer-Encoding: chunked') + chunked(body);
      assert.deepEqual(statusesOf(await server.exchange(pieces)), [status], `chunked ${length}`);
    }
  }
});

test('100 Continue is said only where the body will be read', async (t) => {
  const server = await listening(t, { config: { bodyBytesMax: 2000 } });
  const expecting = ['Expect: 100-continue', 'Content-Length: 5'];
  const taken = await server.exchange(`${post('/pickle/a', ...expecting)}hello`);
  assert.deepEqual(statusesOf(taken), [100, 200]);
  const tooLarge = post('/pickle/a', 'Expect: 100-continue', 'Content-Length: 2001');
  assert.deepEqual(statusesOf(await server.exchange(tooLarge)), [413]);
  const foreign = post('/pickle/a', 'Origin: http://evil', ...expecting);
  assert.deepEqual(statusesOf(await server.exchange(foreign)), [403]);
});

test('100 Continue stands before its answer, never within, where requests are pipelined', async (t) => {
  const server = await listening(t);
  const { get } = server.store;
  server.store.get = async (...args) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return get.apply(server.store, args);
  };
  const first = 'GET /pickle/none HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const expecting = post('/pickle/a', 'Expect: 100-continue', 'Content-Length: 5');
  const withBody = answersIn(await server.exchange(`${first}${expecting}hello`));
  const statuses = withBody.map(({ status }) => status).filter((status) => status !== 100);
  assert.deepEqual(statuses, [404, 200]);
  // Who waits for it is told, when the answer before it has left.
  const socket = server.connect();
  const answer = received(socket, `${first}${expecting}`);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    if (text.includes('100 Continue')) socket.write('hello');
  });
  assert.deepEqual(
    answersIn(await answer).map(({ status }) => status),
    [404, 100, 200],
  );
});

test('a client of HTTP/1.0 is not told to continue', async (t) => {
  const server = await listening(t);
  const head = 'POST /pickle/a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';
  assert.deepEqual(statusesOf(await server.exchange(`${head}hello`)), [200]);
});

test('a client that sends too much gets its answer, not a reset', async (t) => {
  const server = await listening(t, { config: { bodyBytesMax: 64 * KiB } });
  const socket = server.connect();
  const answer = received(socket, post('/pickle/a', `Content-Length: ${8 * KiB * KiB}`));
  socket.end(Buffer.alloc(8 * KiB * KiB));
  assert.deepEqual(statusesOf(await answer), [413]);
});

test('a body that stalls is answered with 408, and nothing is stored', async (t) => {
  const limits = { bodyStallMs: 60, bodyCheckMs: 10, lingerMs: 50 };
  const server = await listening(t, { limits });
  for (const target of ['/cache/a', '/pickle/a']) {
    for (const header of ['Content-Length: 5000', 'Transfer-Encoding: chunked']) {
      const answer = await server.exchange(`${post(target, header)}3\r\nabc\r\n`);
      assert.deepEqual(statusesOf(answer), [408], `${target} ${header}`);
      assert.match(answer, /"REQUEST_TIMEOUT"/);
      assert.match(answer, /connection: close/i);
    }
  }
  assert.equal(await server.store.count(), 0);
});

test('a slow body that keeps coming is stored, longer than a stall lasts', async (t) => {
  const server = await listening(t, { limits: { bodyStallMs: 150, bodyCheckMs: 10 } });
  const socket = server.connect();
  const answer = received(socket, post('/pickle/slow', 'Content-Length: 10'));
  for (let sent = 0; sent < 10; sent += 1) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    socket.write(`${sent}`);
  }
  assert.deepEqual(statusesOf(await answer), [200]);
  assert.equal((await bodyOf(server, 'slow')).toString(), '0123456789');
});

test('a body that is cut off leaves what was stored before', async (t) => {
  const server = await listening(t);
  await server.exchange(`${post('/pickle/a', 'Content-Length: 3')}old`);
  for (const header of [
    'Content-Length: 500000',
    'Content-Length: 5000000',
    'Transfer-Encoding: chunked',
  ]) {
    for (const cut of ['end', 'resetAndDestroy'] as const) {
      const socket = server.connect();
      const closed = received(socket, `${post('/pickle/a', header)}3\r\nnew\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket[cut]();
      await closed;
    }
  }
  assert.equal((await bodyOf(server, 'a')).toString(), 'old');
  assert.deepEqual(server.logged, []);
});

test('large bodies arrive whole, by length and in chunks', async (t) => {
  const server = await listening(t);
  const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 13) % 251));
  const origin = `http://127.0.0.1:${server.port}`;
  const known = await fetch(`${origin}/pickle/known`, { method: 'POST', body });
  assert.equal(known.status, 200);
  assert.ok((await bodyOf(server, 'known')).equals(body));
  const socket = server.connect();
  const answer = received(socket, post('/pickle/chunked', 'Transfer-Encoding: chunked'));
  for (let at = 0; at < body.length; at += 100_000) {
    const piece = body.subarray(at, at + 100_000);
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write('\r\n');
  }
  socket.write('0\r\n\r\n');
  assert.deepEqual(statusesOf(await answer), [200]);
  assert.ok((await bodyOf(server, 'chunked')).equals(body));
});

test('uploads beyond the budget wait for each other, and all are stored', async (t) => {
  const server = await listening(t, { limits: { uploadBytesMax: 200 * KiB } });
  const body = Buffer.alloc(150 * KiB, 'x');
  const origin = `http://127.0.0.1:${server.port}`;
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      fetch(`${origin}/pickle/${index}`, { method: 'POST', body }),
    ),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(await server.store.count(), 20);
});

/** Opens an upload of JSON that declares `declared` bytes, and sends `sent` of them. */
function openUpload(server: Listening, key: string, declared: number, sent: number): Socket {
  const socket = server.connect();
  socket.write(post(`/cache/${key}`, `Content-Length: ${declared}`));
  socket.write(`{"value":"${'x'.repeat(sent - 10)}`);
  return socket;
}

test('a client that leaves while its upload waits for room gives its bytes back', async (t) => {
  const uploads = new Uploads({ ...DEFAULT_LIMITS, uploadBytesMax: 20 * KiB });
  const server = await listening(t, { uploads });
  const oldest = openUpload(server, 'oldest', 30 * KiB, 15 * KiB);
  await until(() => uploads.heldBytes === 15 * KiB);
  const queued = openUpload(server, 'queued', 30 * KiB, 15 * KiB);
  await until(() => uploads.heldBytes === 30 * KiB);
  queued.resetAndDestroy();
  await until(() => uploads.heldBytes === 15 * KiB);
  const answer = received(oldest, `${'x'.repeat(15 * KiB - 2)}"}`);
  assert.deepEqual(statusesOf(await answer), [200]);
  assert.equal(uploads.heldBytes, 0);
});

test('collected uploads over the budget end while a slow stream goes on', async (t) => {
  const server = await listening(t, { limits: { uploadBytesMax: 200 * KiB } });
  const slow = server.connect();
  const slowAnswer = received(slow, post('/pickle/slow', 'Content-Length: 3000000'));
  slow.write(Buffer.alloc(2_000_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const body = JSON.stringify({ value: 'x'.repeat(300 * KiB) });
  const answers = await Promise.all(
    Array.from({ length: 4 }, (_, nth) =>
      server.exchange(post(`/cache/${nth}`, `Content-Length: ${body.length}`) + body),
    ),
  );
  for (const answer of answers) assert.deepEqual(statusesOf(answer), [200]);
  slow.write(Buffer.alloc(1_000_000));
  assert.deepEqual(statusesOf(await slowAnswer), [200]);
});

test('the answer to a POST counts in the budget until it has left, or its client is cut', async (t) => {
  const uploads = new Uploads(DEFAULT_LIMITS);
  const store = new MemoryStore(Date.now, false);
  const server = await listening(t, { uploads, store, limits: { sendStallMs: 300 } });
  const body = JSON.stringify({ value: 'x'.repeat(200 * KiB) });
  const head = `POST /cache/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
  assert.deepEqual(
    statusesOf(await server.exchange(post('/cache/a', `Content-Length: ${body.length}`) + body)),
    [200],
  );
  assert.equal(uploads.heldBytes, 0);
  const deaf = server.connect();
  deaf.pause();
  deaf.write((head + body).repeat(100));
  // One body at a time arrives, so more than one is held only once answers do not leave any more.
  await until(() => uploads.heldBytes >= 2 * body.length);
  await until(() => uploads.heldBytes === 0);
});

test('of a body that is stored as it arrives the start counts in the budget, and no more', async (t) => {
  const uploads = new Uploads(DEFAULT_LIMITS);
  const server = await listening(t, { uploads });
  const socket = server.connect();
  const answer = received(socket, post('/pickle/a', 'Transfer-Encoding: chunked'));
  const piece = `${(500 * KiB).toString(16)}\r\n${'x'.repeat(500 * KiB)}\r\n`;
  socket.write(piece);
  await until(() => uploads.heldBytes === 500 * KiB);
  socket.write(piece.repeat(4));
  await until(() => uploads.heldBytes === 0);
  socket.write('0\r\n\r\n');
  assert.deepEqual(statusesOf(await answer), [200]);
  assert.equal((await bodyOf(server, 'a')).length, 5 * 500 * KiB);
  const short = server.connect();
  const shortAnswer = received(short, post('/pickle/b', 'Transfer-Encoding: chunked'));
  short.write(piece);
  await until(() => uploads.heldBytes === 500 * KiB);
  short.write('0\r\n\r\n');
  assert.deepEqual(statusesOf(await shortAnswer), [200]);
  assert.equal(uploads.heldBytes, 0);
});

test('more streams than there may be wait, and are refused after the time of a stall', async (t) => {
  const limits = { ...DEFAULT_LIMITS, streamsMax: 1, bodyStallMs: 300, bodyCheckMs: 10 };
  const server = await listening(t, { limits, uploads: new Uploads(limits) });
  const head = post('/pickle/a', 'Transfer-Encoding: chunked');
  const first = server.connect();
  const firstAnswer = received(first, head);
  const trickle = setInterval(() => first.write('1\r\nx\r\n'), 50);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(statusesOf(await server.exchange(head)), [503]);
  const patient = server.exchange(head + chunked('hello'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  clearInterval(trickle);
  first.write('0\r\n\r\n');
  assert.deepEqual(statusesOf(await firstAnswer), [200]);
  assert.deepEqual(statusesOf(await patient), [200]);
});

test('bodies that are stored as they arrive end at once when the store is closed', async (t) => {
  const uploads = new Uploads(DEFAULT_LIMITS);
  const server = await listening(t, { uploads, limits: { lingerMs: 50 } });
  for (const sent of [500 * KiB, 2000 * KiB]) {
    const socket = server.connect();
    const answer = received(socket, post('/pickle/a', 'Content-Length: 5000000'));
    socket.write(Buffer.alloc(sent));
    await new Promise((resolve) => setTimeout(resolve, 100));
    uploads.failStreams(new BigCacheError('STORE_CLOSED'));
    const text = await answer;
    assert.deepEqual(statusesOf(text), [503]);
    assert.match(text, /"STORE_CLOSED"/);
    assert.equal(uploads.heldBytes, 0);
  }
  assert.equal(await server.store.count(), 0);
});

test('a store that fails in the middle of a body is heard, and the client gets its answer', async (t) => {
  const server = await listening(t);
  server.store.put = async (_key, _meta, source) => {
    if (!Buffer.isBuffer(source)) for await (const piece of source) if (piece.length > 0) break;
    throw new TypeError('broken');
  };
  const body = Buffer.alloc(3_000_000);
  const socket = server.connect();
  const answer = received(socket, post('/pickle/a', `Content-Length: ${body.length}`));
  socket.write(body);
  assert.deepEqual(statusesOf(await answer), [500]);
});

test('of a body that comes compressed what counts is what is made of it', async (t) => {
  const uploads = new Uploads(DEFAULT_LIMITS);
  const server = await listening(t, { uploads });
  const plain = Buffer.alloc(600 * KiB, 'the same line again\n');
  const encoded = gzipSync(plain);
  const length = `Content-Length: ${encoded.length}`;
  const socket = server.connect();
  const head = request('PUT /v1/entries/a', ['Content-Encoding: gzip', length]);
  const answer = received(socket, Buffer.concat([Buffer.from(head), encoded.subarray(0, -10)]));
  await until(() => uploads.heldBytes > 500 * KiB);
  assert.ok(encoded.length < 10 * KiB);
  socket.write(encoded.subarray(-10));
  assert.deepEqual(statusesOf(await answer), [201]);
  assert.equal(uploads.heldBytes, 0);
  assert.ok((await bodyOf(server, 'a')).equals(plain));
});

test('a compressed body that stalls, or breaks off, leaves nothing behind', async (t) => {
  const uploads = new Uploads({ ...DEFAULT_LIMITS, bodyStallMs: 60, bodyCheckMs: 10 });
  const server = await listening(t, { uploads, limits: { lingerMs: 50 } });
  const encoded = gzipSync(Buffer.alloc(600 * KiB, 'the same line again\n'));
  const length = `Content-Length: ${encoded.length}`;
  const head = Buffer.from(request('PUT /v1/entries/a', ['Content-Encoding: gzip', length]));
  const part = Buffer.concat([head, encoded.subarray(0, -10)]);
  assert.deepEqual(statusesOf(await server.exchange(part)), [408]);
  const socket = server.connect();
  socket.write(part);
  await until(() => uploads.heldBytes > 500 * KiB);
  socket.destroy();
  await until(() => uploads.heldBytes === 0);
  assert.equal(await server.store.count(), 0);
});
