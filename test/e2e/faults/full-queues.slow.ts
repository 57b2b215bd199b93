/**
 * More writes than a worker has under way at most, while the primary stands still: what finds no room is told
 * at once when to come again, what found room is stored once the primary goes on, and memory is bounded.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_LIMITS } from '../../../src/workers/limits.ts';
import { answersIn, type RawAnswer, received } from '../../raw-http.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { MemoryPeaks } from '../memory-peaks.ts';
import { ServerProcess } from '../server-process.ts';

const CONNECTIONS = 50;
const WRITES_EACH = 150;
/** 7,500 come. */
const QUEUE_MAX = DEFAULT_LIMITS.writesMax;
/** Less than the 5 s after which a request to the primary is given up. */
const STOPPED_MS = 3000;
const MB = 1_000_000;
const WORKER_BYTES_MAX = 150 * MB;

const keyOf = (connection: number, nth: number): string => `/pickle/${connection}/${nth}`;
const bodyOf = (connection: number, nth: number): string => `body ${connection} ${nth}`;

/** The answers to these requests, sent at once over one connection. */
async function answered(
  t: TestContext,
  port: number,
  requests: readonly string[],
): Promise<RawAnswer[]> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const last = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  return answersIn(await received(socket, requests.join('') + last)).slice(0, -1);
}

function post(connection: number, nth: number): string {
  const body = bodyOf(connection, nth);
  const head = `POST ${keyOf(connection, nth)} HTTP/1.1\r\nHost: localhost\r\n`;
  return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
}

it('a worker whose queue is full refuses what comes, and keeps what it took', async (t) => {
  const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '1');
  const { port } = server;
  const connections = Array.from({ length: CONNECTIONS }, (_, nth) => nth);
  const writes = Array.from({ length: WRITES_EACH }, (_, nth) => nth);
  // It has a segment to write to from here on.
  await answered(t, port, [post(CONNECTIONS, 0)]);
  const peaks = new MemoryPeaks();
  t.after(() => peaks.stop());
  peaks.watch(server);

  process.kill(server.pid, 'SIGSTOP');
  const going = sleep(STOPPED_MS).then(() => process.kill(server.pid, 'SIGCONT'));
  const answers = await Promise.all(
    connections.map((one) =>
      answered(
        t,
        port,
        writes.map((nth) => post(one, nth)),
      ),
    ),
  );
  await going;

  const all = answers.flat();
  const withStatus = (status: number): RawAnswer[] => all.filter((one) => one.status === status);
  const [stored, refused] = [withStatus(200), withStatus(503)];
  t.diagnostic(
    `${stored.length} of ${all.length} writes stored, ${refused.length} refused; a worker held at most ` +
      `${(peaks.workerBytes / MB).toFixed(0)} MB`,
  );
  assert.equal(all.length, CONNECTIONS * WRITES_EACH);
  assert.equal(stored.length + refused.length, all.length);
  assert.ok(refused.length > 0, 'more came than it may have under way');
  assert.ok(stored.length >= QUEUE_MAX, 'what it may have under way is taken');
  assert.ok(refused.every(({ headers }) => headers.get('retry-after') === '1'));
  assert.ok(peaks.workerBytes < WORKER_BYTES_MAX, `${peaks.workerBytes} bytes`);

  const read = await Promise.all(
    connections.map((one) =>
      answered(
        t,
        port,
        writes.map((nth) => `GET ${keyOf(one, nth)} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
      ),
    ),
  );
  for (const one of connections) {
    for (const nth of writes) {
      const { status, body } = read[one]?.[nth] ?? { status: 0, body: Buffer.alloc(0) };
      const isStored = answers[one]?.[nth]?.status === 200;
      assert.equal(status, isStored ? 200 : 404, keyOf(one, nth));
      if (isStored) assert.equal(body.toString(), bodyOf(one, nth));
    }
  }
  assert.equal(await server.stop(), 0);
});
