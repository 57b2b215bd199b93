/** Clients that are slow, silent or half gone, and a second server on the same store, all beside a load. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerProcess } from '../server-process.ts';
import { storeOf, withstands } from './under-fault.ts';

const EACH = 60;
const FAULT_MS = 5000;
const HEAD = 'Host: localhost\r\nContent-Type: application/octet-stream\r\n';

async function opened(t: TestContext, port: number, allowHalfOpen = false): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Sends its head a byte at a time, and never all of it. */
async function slowHead(t: TestContext, port: number): Promise<void> {
  const socket = await opened(t, port);
  const head = `GET /pickle/slow HTTP/1.1\r\n${HEAD}X-Padding: ${'a'.repeat(1000)}`;
  let at = 0;
  const timer = setInterval(() => socket.write(head[at++] ?? 'a'), 100);
  socket.once('close', () => clearInterval(timer));
  t.after(() => clearInterval(timer));
}

/** Announces more than it ever sends. */
async function stalledBody(t: TestContext, port: number, nth: number): Promise<void> {
  const socket = await opened(t, port);
  socket.write(
    `POST /pickle/stalled/${nth} HTTP/1.1\r\n${HEAD}Content-Length: 100000\r\n\r\nbegun`,
  );
}

/** Asks, ends its own side at once, and reads nothing. */
async function halfOpen(t: TestContext, port: number): Promise<void> {
  const socket = await opened(t, port, true);
  socket.pause();
  socket.end(`GET /pickle/none HTTP/1.1\r\n${HEAD}\r\n`);
}

describe('under load', () => {
  it('clients that are slow, silent or half gone keep nobody from being served', async (t) => {
    const { acknowledged, recoveredMs } = await withstands(t, {
      fault: async ({ port }) => {
        for (let nth = 0; nth < EACH; nth++) {
          await slowHead(t, port);
          await stalledBody(t, port, nth);
          await halfOpen(t, port);
        }
        await sleep(FAULT_MS);
      },
    });
    assert.ok(acknowledged > 100);
    assert.ok(recoveredMs < 5000, `it took ${recoveredMs} ms, with all of them still there`);
  });

  it('a second server on the same store ends with a word, and harms nothing', async (t) => {
    const { acknowledged } = await withstands(t, {
      fault: async (server) => {
        for (let nth = 0; nth < 3; nth++) {
          const args = ['--db-path', storeOf(server), '--port', '0', '--workers', '2'];
          const second = ServerProcess.spawn(t, args);
          assert.deepEqual(await second.exit(), { code: 1, signal: null });
          const said = second.stderr + second.log.map(({ msg }) => msg).join('\n');
          assert.match(said, /is in use by another BigCache process/);
        }
      },
    });
    assert.ok(acknowledged > 100);
  });
});
