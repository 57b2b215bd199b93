/** How kept connections spread over the workers of the built server, under traffic. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { clientPortsOf } from '../chaos/connections.ts';
import { ServerProcess } from '../server-process.ts';
import { KeptConnections } from './kept-connections.ts';

const WORKERS = 4;
const TRAFFIC_MS = 10_000;
/** Both sides send in turn, so that what else the machine does falls on both. */
const TURNS = 6;
const TURN_MS = 500;
const REPORTED_WITHIN_MS = 2000;
const BUSIEST_MAX = 1.5;
/** Of what equal shares reach in the same run, on machines that others use too. */
const THROUGHPUT_MIN = 0.6;
const PATH = '/v1/entries/hot';
const TLS = new URL('../../fixtures/tls/', import.meta.url).pathname;

const portsByWorker = (server: ServerProcess): Set<number>[] =>
  server.workerPids.map((pid) => {
    const ports = clientPortsOf(pid, server.port);
    // The listening socket has no client.
    ports.delete(0);
    return ports;
  });

const sharesOf = (server: ServerProcess): number[] => portsByWorker(server).map(({ size }) => size);

const sumOf = (shares: readonly number[]): number => shares.reduce((sum, share) => sum + share, 0);

const busiestOf = (shares: readonly number[]): number =>
  (Math.max(...shares) * shares.length) / sumOf(shares);

async function start(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  const directory = await temporaryDirectory(t);
  return ServerProcess.start(t, join(directory, 'store'), '--workers', `${WORKERS}`, ...args);
}

async function startWithEntry(t: TestContext): Promise<ServerProcess> {
  const server = await start(t);
  const answer = await fetch(server.url + PATH, {
    method: 'PUT',
    body: 'x'.repeat(1024),
    headers: { connection: 'close' },
  });
  assert.equal(answer.status, 201);
  return server;
}

/** Opens connections of which one worker gets all: the others are stopped meanwhile. */
async function openOverOne(
  server: ServerProcess,
  clients: KeptConnections,
  count: number,
): Promise<void> {
  const others = server.workerPids.slice(1);
  for (const pid of others) process.kill(pid, 'SIGSTOP');
  try {
    await clients.open(count);
    await eventually(() => sharesOf(server)[0] === count, 4000);
  } finally {
    for (const pid of others) process.kill(pid, 'SIGCONT');
  }
}

/** Has all workers hold as many of `count`: what round robin makes of kept connections. */
async function shareEqually(
  server: ServerProcess,
  clients: KeptConnections,
  count: number,
): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await eventually(() => sumOf(sharesOf(server)) === count, 10_000);
    const surplus = portsByWorker(server).flatMap((ports) => [...ports].slice(count / WORKERS));
    if (surplus.length === 0) return;
    await clients.open(surplus.length);
    clients.drop(new Set(surplus));
  }
  assert.fail(`no equal shares: ${sharesOf(server)}`);
}

/** Clients of a second server, all of whose workers have as many connections. */
async function equallyShared(t: TestContext, count: number): Promise<KeptConnections> {
  const server = await startWithEntry(t);
  const clients = new KeptConnections({ port: server.port, path: PATH });
  t.after(() => clients.close());
  await clients.open(count);
  await shareEqually(server, clients, count);
  return clients;
}

/** The mean requests per second of both. */
async function throughputs(one: KeptConnections, other: KeptConnections): Promise<number[]> {
  let [ofOne, ofOther] = [0, 0];
  for (let turn = 0; turn < TURNS; turn++) {
    ofOne += (await one.run(TURN_MS)) / TURNS;
    ofOther += (await other.run(TURN_MS)) / TURNS;
  }
  return [ofOne, ofOther];
}

async function metric(server: ServerProcess, name: string): Promise<number> {
  const answer = await fetch(`${server.url}/metrics`, { headers: { connection: 'close' } });
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await answer.text())?.[1]);
}

describe('kept connections over the workers of a server', () => {
  for (const count of [64, 512]) {
    it(`are spread within 10 s of traffic where one had all ${count}, at the speed of equal shares`, async (t) => {
      const server = await startWithEntry(t);
      const clients = new KeptConnections({ port: server.port, path: PATH });
      t.after(() => clients.close());
      await openOverOne(server, clients, count);
      const before = sharesOf(server);
      const others = await equallyShared(t, count);
      // Both at once, so that both servers are as warm when they are compared.
      await Promise.all([clients.run(TRAFFIC_MS), others.run(TRAFFIC_MS)]);
      const after = sharesOf(server);
      const { closings } = clients;
      const [own = 0, equal = 0] = await throughputs(clients, others);
      t.diagnostic(
        `${before.join('/')} became ${after.join('/')} by ${closings} closings; ` +
          `${Math.round(own)} requests/s, with equal shares ${Math.round(equal)}`,
      );
      // Workers that are too busy to tell count with their last report.
      await sleep(REPORTED_WITHIN_MS);
      const counted = await metric(server, 'bigcache_http_connections_rebalanced_total');
      assert.ok(counted > 0 && closings > 0, `${counted} counted, ${closings} seen`);
      assert.deepEqual([...clients.failures, ...others.failures], []);
      assert.equal(sumOf(after), count);
      assert.ok(busiestOf(after) <= BUSIEST_MAX, after.join('/'));
      assert.ok(own >= THROUGHPUT_MIN * equal, `${own} of ${equal} requests/s`);
    });
  }

  it('stay where they are once they are spread', async (t) => {
    const server = await startWithEntry(t);
    const clients = new KeptConnections({ port: server.port, path: PATH });
    t.after(() => clients.close());
    await clients.open(64);
    await shareEqually(server, clients, 64);
    const before = sharesOf(server);
    await clients.run(5000);
    assert.deepEqual(clients.failures, []);
    assert.deepEqual([clients.closings, sharesOf(server)], [0, before]);
  });

  it('are spread with TLS too', async (t) => {
    const [cert, key] = [join(TLS, 'one.crt'), join(TLS, 'one.key')];
    const server = await start(t, '--tls-cert', cert, '--tls-key', key);
    const ca = readFileSync(cert, 'utf8');
    const clients = new KeptConnections({ port: server.port, path: '/healthz', ca });
    t.after(() => clients.close());
    await openOverOne(server, clients, 64);
    await clients.run(TRAFFIC_MS);
    const after = sharesOf(server);
    t.diagnostic(`64/0/0/0 became ${after.join('/')} by ${clients.closings} closings`);
    assert.deepEqual(clients.failures, []);
    assert.ok(busiestOf(after) <= BUSIEST_MAX, after.join('/'));
  });
});
