/** Answers that take longer than a connection may stand still. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Kind } from '../../src/protocol/record.ts';
import { listening } from './app-fixture.ts';
import { MemoryStore } from './store/memory-store.ts';

/** A store as large as takes a while. */
class SlowStore extends MemoryStore {
  override async deletePrefix(prefix: string): Promise<number> {
    await sleep(600);
    return super.deletePrefix(prefix);
  }

  override async open(): Promise<void> {
    await sleep(600);
    return super.open();
  }
}

test('a removal by prefix or an opening may take longer than a connection may stand still', async (t) => {
  const store = new SlowStore(Date.now);
  const server = await listening(t, { store, limits: { sendStallMs: 200 } });
  for (const line of ['DELETE /prefix/a', 'POST /open']) {
    const answer = await server.exchange(
      `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 200 /, line);
  }
});

test('nor is it cut short by other answers on its connection, before it and behind', async (t) => {
  const store = new SlowStore(Date.now);
  const server = await listening(t, { store, limits: { sendStallMs: 200 } });
  const ask = (line: string) => `${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const last = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const slow = 'DELETE /prefix/a';
  for (const lines of [
    [slow, 'GET /stat/count'],
    ['GET /stat/count', slow],
    [slow, slow, 'GET /stat/count'],
  ]) {
    const answer = await server.exchange(lines.map(ask).join('') + last);
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
    assert.deepEqual(statuses, [...lines.map(() => '200'), '200'], lines.join());
  }
});

test('a client that is let wait for its answer is cut where it does not take it', async (t) => {
  const server = await listening(t, { limits: { sendStallMs: 200 } });
  const raw = { kind: Kind.raw, expiresAtMs: 0, contentType: null, expire: null, duration: null };
  await server.store.put('long', raw, Buffer.alloc(12_000_000, 'x'));
  const asked = Buffer.from(JSON.stringify({ items: [{ op: 'get', key: 'long' }] }));
  const head = 'POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const socket = server.connect();
  socket.on('error', () => undefined).pause();
  socket.write(`${head}Content-Length: ${asked.length}\r\n\r\n${asked}`);
  await new Promise((resolve) => socket.once('connect', resolve));
  const count = promisify(server.app.server.getConnections.bind(server.app.server));
  let open = 1;
  for (const startMs = Date.now(); open > 0 && Date.now() - startMs < 5000; ) {
    await sleep(20);
    open = await count();
  }
  assert.equal(open, 0);
});
