/** Rows 50 to 57 and 61: requests sent at once, expectations, and clients that leave. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { eventually } from '../../eventually.ts';
import { answersIn, received, request } from '../../raw-http.ts';
import { anonymousBytes, descriptorCount } from '../server-process.ts';
import { row } from './row.ts';
import { assertRefusal, SharedServer } from './shared-server.ts';

const MiB = 1024 * 1024;
const GROWTH_BYTES_MAX = 64 * MiB;
const LARGE_BYTES = 4 * MiB;

const server = SharedServer.withArguments(() => [
  ...['--workers', '1', '--max-body', `${LARGE_BYTES}B`],
]);

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const upload = (key: string, bytes: number) =>
  `POST /pickle/${key} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`;

function workerPid(): number {
  const [pid] = server.process.workerPids;
  assert.ok(pid !== undefined);
  return pid;
}

/** What `work` costs the worker in memory is at any time less than the bound. */
async function assertBounded(work: () => Promise<unknown>): Promise<void> {
  const pid = workerPid();
  const before = anonymousBytes(pid);
  let most = before;
  const look = (): void => {
    most = Math.max(most, anonymousBytes(pid));
  };
  const looking = setInterval(look, 10);
  try {
    await work();
  } finally {
    clearInterval(looking);
  }
  look();
  assert.ok(most - before < GROWTH_BYTES_MAX, `it grew by ${most - before} bytes`);
}

/** Connects, sends `bytes` and leaves by a reset once `isTime` resolves; resolves when it is gone. */
async function resetAfter(bytes: string | Buffer, isTime: 'sent' | 'data'): Promise<void> {
  const socket = server.connect();
  await once(socket, 'connect');
  const sent = new Promise((resolve) => socket.write(bytes, resolve));
  await (isTime === 'data' ? once(socket, 'data') : sent);
  const closed = once(socket, 'close');
  socket.resetAndDestroy();
  await closed;
}

row('50', async () => {
  const answers = await server.exchange(
    get('/cache/none') + get('/healthz') + request('GET /nowhere'),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    [404, 200, 404],
  );
});

row('51', async () => {
  await server.ask('POST /pickle/page', [], randomBytes(100_000));
  await assertBounded(async () => {
    for (let round = 0; round < 5; round++) {
      await resetAfter(get('/pickle/page').repeat(1000), 'data');
    }
  });
});

row('51b', async () => {
  // Answers that wait behind one that takes its time hold nothing of bodies, and are not without number.
  const lease = ['Cache-Lease: 60'];
  assert.equal((await server.ask('GET /v1/entries/held', lease)).status, 404);
  const waiting = request('GET /v1/entries/held', [...lease, 'Prefer: wait=60']);
  await assertBounded(async () => {
    for (let round = 0; round < 5; round++) {
      const socket = server.connect().resume();
      socket.on('error', () => undefined);
      socket.write(waiting);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(get('/pickle/page').repeat(20_000));
      await closed;
    }
  });
  assert.equal((await server.ask('GET /healthz')).status, 200);
});

row('52', async () => {
  const expecting = (bytes: number) =>
    request('POST /pickle/e', ['Expect: 100-continue', `Content-Length: ${bytes}`]);
  const statuses = (await server.exchange(`${expecting(5)}hello`)).map(({ status }) => status);
  assert.deepEqual(statuses, [100, 200]);
  await server.refuses(expecting(LARGE_BYTES + 1), 413, 'BODY_TOO_LARGE');
});

row('53', async () => {
  const expecting = request('POST /pickle/e', ['Content-Length: 1', 'Expect: bananas'], 'x');
  await server.refuses(expecting, 417, 'EXPECTATION_FAILED');
});

row('54', async () => {
  // What the store is asked for is not ready yet when the end arrives.
  for (const [bytes, status] of [
    [`${upload('ended', 4)}body`, 200],
    [get('/pickle/ended'), 200],
    [get('/cache/none'), 404],
    [get('/healthz'), 200],
    [get('/pickle/ended').repeat(3), 200],
  ] as const) {
    const socket = server.connect();
    const text = received(socket, bytes);
    socket.end();
    const answers = answersIn(await text);
    assert.ok(answers.length > 0, bytes);
    assert.ok(
      answers.every((answer) => answer.status === status),
      bytes,
    );
    assert.equal(answers.length, bytes.startsWith('POST') ? 1 : bytes.split('HTTP/1.1').length - 1);
  }
});

row('55', async () => {
  for (const head of [
    upload('half', 100),
    upload('half', 3 * MiB),
    upload('half', 0).replace('Content-Length: 0', 'Transfer-Encoding: chunked'),
  ]) {
    const socket = server.connect().resume();
    socket.end(`${head}3\r\nabc\r\n`);
    await once(socket, 'close');
    await server.refuses(request('GET /pickle/half'), 404, 'CACHE_MISS');
  }
});

row('56', async () => {
  for (const bytes of [100_000, 3 * MiB]) {
    await resetAfter(upload('half', bytes) + 'x'.repeat(bytes - 1), 'sent');
    await server.refuses(request('GET /pickle/half'), 404, 'CACHE_MISS');
  }
});

row('57', async () => {
  const stored = await server.ask('POST /pickle/large', [], randomBytes(LARGE_BYTES));
  assert.equal(stored.status, 200);
  assert.equal((await server.ask('GET /pickle/large')).body.length, LARGE_BYTES);
  const descriptors = descriptorCount(workerPid());
  await assertBounded(async () => {
    for (let round = 0; round < 40; round++) await resetAfter(get('/pickle/large'), 'data');
  });
  await eventually(() => descriptorCount(workerPid()) <= descriptors);
});

row('61', async () => {
  const answers = await server.exchange(
    `GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello${request('GET /cache/none')}`,
  );
  const [first, second] = answers;
  assert.equal(first?.status, 200);
  assert.ok(second !== undefined);
  assertRefusal(second, 404, 'CACHE_MISS');
});
