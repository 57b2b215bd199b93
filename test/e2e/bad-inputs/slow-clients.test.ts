/** Rows 46 and 58 to 60: clients that take their time, with limits in which a test need not wait. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kind } from '../../../src/protocol/record.ts';
import { DEFAULT_LIMITS } from '../../../src/workers/limits.ts';
import { answersIn, received } from '../../raw-http.ts';
import { type Listening, listening, until } from '../../workers/app-fixture.ts';
import { row } from './row.ts';
import { assertRefusal } from './shared-server.ts';

const MiB = 1024 * 1024;
const RAW = { kind: Kind.raw, expiresAtMs: 0, contentType: null, expire: null, duration: null };
const CHUNKED = 'POST /pickle/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';

async function isTimedOut(server: Listening, bytes: string): Promise<void> {
  const [answer, ...more] = answersIn(await server.exchange(bytes));
  assert.ok(answer !== undefined && more.length === 0);
  assertRefusal(answer, 408, 'REQUEST_TIMEOUT', bytes);
  assert.equal(await server.store.count(), 0);
}

row('46', async (t) => {
  const server = await listening(t, { limits: { bodyStallMs: 50, bodyCheckMs: 10 } });
  await isTimedOut(server, `${CHUNKED}FFFFFFFFFFFFFFED\r\nabc`);
});

row('58', async (t) => {
  const { headersTimeoutMs, connectionsCheckMs } = DEFAULT_LIMITS;
  assert.ok(headersTimeoutMs + connectionsCheckMs <= 20_000);
  const limits = { headersTimeoutMs: 100, connectionsCheckMs: 20 };
  const server = await listening(t, { limits });
  await isTimedOut(server, 'GET /cache/a HTTP/1.1\r\nHost: localhost\r\nX:');
  const socket = server.connect();
  const answer = received(socket, 'GET /cache/a HTTP/1.1\r\n');
  const trickle = setInterval(() => socket.write('X: y\r\n'), 20);
  t.after(() => clearInterval(trickle));
  assert.match(await answer, /^HTTP\/1\.1 408 /);
});

row('59', async (t) => {
  const { bodyStallMs, bodyWindowMs, bodyWindowBytesMin } = DEFAULT_LIMITS;
  assert.deepEqual([bodyStallMs, bodyWindowMs, bodyWindowBytesMin], [30_000, 60_000, 60 * 1024]);
  const stalling = await listening(t, { limits: { bodyStallMs: 60, bodyCheckMs: 10 } });
  await isTimedOut(stalling, `${CHUNKED}3\r\nabc\r\n`);

  // In each 500 ms 20 bytes are asked for: a machine that is held up sends half of them, or 30 times as many.
  const limits = { bodyStallMs: 5000, bodyWindowMs: 500, bodyWindowBytesMin: 20, bodyCheckMs: 10 };
  const server = await listening(t, { limits });
  for (const [perPiece, isSteady] of [
    ['1\r\nx\r\n', false],
    [`40\r\n${'steady..'.repeat(8)}\r\n`, true],
  ] as const) {
    const socket = server.connect();
    const answer = received(socket, CHUNKED);
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    for (let sent = 0; sent < 25 && !isAnswered; sent++) {
      socket.write(perPiece);
      await sleep(50);
    }
    assert.equal(isAnswered, !isSteady, perPiece);
    if (isSteady) socket.end('0\r\n\r\n');
    assert.match(await answer, isSteady ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 408 /);
  }
  assert.equal(await server.store.count(), 1);
});

row('60', async (t) => {
  const server = await listening(t, { limits: { sendStallMs: 100 } });
  await server.store.put('streamed', RAW, Buffer.alloc(20 * MiB));
  await server.store.put('whole', RAW, Buffer.alloc(MiB));
  for (const key of ['streamed', 'whole']) {
    const socket = server.connect();
    socket.pause();
    socket.write(`GET /pickle/${key} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(20));
    await once(socket, 'connect');
    await until(() => server.store.unreleased > 0);
    assert.ok(server.store.unreleased <= 2, `${server.store.unreleased} bodies at once`);
    await until(() => server.store.unreleased === 0);
    socket.destroy();
  }
});
