/** Answers that end their connections, since the worker holds too many. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Surplus } from '../../src/workers/surplus.ts';
import { type Listening, listening, until } from './app-fixture.ts';

const GET = 'GET /pickle/none HTTP/1.1\r\nHost: localhost\r\n\r\n';
const POST = 'POST /pickle/late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx';
const PUT_HEAD = 'PUT /v1/entries/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n';

/** As many connections too many, all of which may be given up at once. */
function surplusOf(count: number): Surplus {
  const surplus = new Surplus(() => count);
  for (let round = 0; round < 2; round++) surplus.beginRound(0, Number.NEGATIVE_INFINITY);
  return surplus;
}

/** A connection and what came over it. */
class Client {
  readonly socket: Socket;
  received = '';
  isEnded = false;

  constructor(server: Listening) {
    this.socket = server.connect();
    this.socket.allowHalfOpen = true;
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
    });
    this.socket.on('end', () => {
      this.isEnded = true;
    });
  }

  get heads(): string[] {
    return this.received.match(/HTTP\/1\.1 \d{3} [\s\S]*?\r\n\r\n/g) ?? [];
  }

  get endings(): boolean[] {
    return this.heads.map((head) => /\r\nconnection: close\r\n/i.test(head));
  }
}

test('an answer ends its connection for each that is too many, after it has left', async (t) => {
  const server = await listening(t, { surplus: surplusOf(1) });
  const [first, second] = [new Client(server), new Client(server)];
  first.socket.write(GET);
  await until(() => first.isEnded);
  assert.deepEqual(first.endings, [true]);
  assert.ok(first.received.includes('"code":"CACHE_MISS"'));
  second.socket.write(GET);
  await until(() => second.heads.length === 1);
  assert.deepEqual([second.endings, second.isEnded], [[false], false]);
  assert.equal(server.traffic.counts.connectionsRebalanced, 1);
});

test('what fastify sends itself ends its connection too', async (t) => {
  const server = await listening(t, { surplus: surplusOf(1) });
  const client = new Client(server);
  client.socket.write('OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until(() => client.isEnded);
  assert.deepEqual(client.endings, [true]);
});

test('requests that were sent ahead are answered, and their connection is left alone', async (t) => {
  const server = await listening(t, { surplus: surplusOf(100) });
  const client = new Client(server);
  client.socket.write(GET + GET + GET);
  await until(() => client.heads.length === 3);
  client.socket.write(GET);
  await until(() => client.heads.length === 4);
  assert.deepEqual(client.endings, [false, false, false, false]);
  assert.equal(server.traffic.counts.connectionsRebalanced, 0);
});

test('a request that comes before the head of the last answer keeps the connection', async (t) => {
  const server = await listening(t, { surplus: surplusOf(100) });
  const client = new Client(server);
  client.socket.write(PUT_HEAD);
  // The answer is chosen to be the last while the body is waited for.
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.socket.write(`body${GET}`);
  await until(() => client.heads.length === 2);
  assert.deepEqual(client.endings, [false, false]);
  assert.equal(server.traffic.counts.connectionsRebalanced, 0);
});

test('a request that comes after the last answer is not handled, and cuts nothing off', async (t) => {
  const server = await listening(t, { surplus: surplusOf(1), limits: { lingerMs: 100 } });
  const client = new Client(server);
  client.socket.write(GET);
  await until(() => client.isEnded);
  let error: Error | undefined;
  client.socket.on('error', (thrown) => {
    error = thrown;
  });
  client.socket.write(POST);
  // Its answer arrived before; the server closes its end once it has waited for the client's.
  client.socket.end();
  await until(() => client.socket.closed);
  assert.equal(error, undefined);
  assert.deepEqual([client.heads.length, await server.store.count()], [1, 0]);
});

test('an answer that ends its connection anyway is none of those', async (t) => {
  const server = await listening(t, { surplus: surplusOf(1) });
  const [first, second] = [new Client(server), new Client(server)];
  first.socket.write('GET /pickle/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await until(() => first.isEnded);
  assert.equal(server.traffic.counts.connectionsRebalanced, 0);
  second.socket.write(GET);
  await until(() => second.isEnded);
  assert.equal(server.traffic.counts.connectionsRebalanced, 1);
});
