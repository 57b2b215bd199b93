/** HTTPS in a worker: the ends of connections, in the middle of a handshake too. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { listening, received, request } from '../app-fixture.ts';

const file = (name: string): string =>
  readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), 'utf8');
const TLS = { cert: file('one.crt'), key: file('one.key') };

function connected(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', ca: TLS.cert, ALPNProtocols: ['h2', 'http/1.1'] };
    const socket = connect(options, () => resolve(socket));
    socket.on('error', reject);
  });
}

test('HTTP/1.1 is spoken, and nothing older than TLS 1.2', async (t) => {
  const { port } = await listening(t, { tls: TLS });
  const socket = await connected(port);
  assert.equal(socket.alpnProtocol, 'http/1.1');
  assert.match(String(socket.getProtocol()), /^TLSv1\.[23]$/);
  assert.match(await received(socket, request('GET /healthz')), /^HTTP\/1\.1 200 /);
  const old = connect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.1', minVersion: 'TLSv1' });
  await once(old, 'error');
});

test('a refusal reaches a client that has much more to send', async (t) => {
  const { port } = await listening(t, { tls: TLS, limits: { lingerMs: 200 } });
  const socket = await connected(port);
  const head = request('POST /cache/a', ['Content-Type: text/plain', 'Content-Length: 9000000']);
  const answer = await received(socket, head + 'x'.repeat(500_000));
  assert.match(answer, /^HTTP\/1\.1 415 [\s\S]*connection: close/i);
});

test('what cannot be parsed is answered, and HTTP in the clear is not', async (t) => {
  const server = await listening(t, { tls: TLS });
  const socket = await connected(server.port);
  assert.match(await received(socket, request('BREW /cache/a')), /^HTTP\/1\.1 400 /);
  assert.doesNotMatch(await server.exchange(request('GET /healthz')), /HTTP\/1\.1/);
});

for (const tls of [TLS, undefined]) {
  const protocol = tls === undefined ? 'HTTP' : 'HTTPS';
  test(`a stop of ${protocol} waits for answers, and not for those who ask nothing`, async (t) => {
    const server = await listening(t, tls === undefined ? {} : { tls });
    const open = async (): Promise<Socket> => {
      if (tls !== undefined) return await connected(server.port);
      const socket = server.connect();
      await once(socket, 'connect');
      return socket;
    };
    const silent = server.connect();
    await once(silent, 'connect');
    const [fresh, inHead, inBody] = [await open(), await open(), await open()];
    inHead.write('GET /healthz HT');
    inBody.write('POST /pickle/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const startMs = performance.now();
    const closed = server.app.close();
    await Promise.all([silent, fresh, inHead].map((socket) => once(socket, 'close')));
    assert.match(await received(inBody, 'b'), /^HTTP\/1\.1 200 /);
    await closed;
    assert.ok(performance.now() - startMs < 5000);
    assert.equal(await server.store.count(), 1);
  });
}
