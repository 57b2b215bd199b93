/**
 * kill -9 of workers and of the primary under mixed writes: nothing acknowledged is lost, nothing
 * stale or torn is served, a worker's death fails only its own requests, nothing is left over.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { descriptorCount, isAlive, ServerProcess } from '../server-process.ts';
import { ChaosClient } from './client.ts';
import { clientPortsOf } from './connections.ts';
import { randomFrom, testSeed } from './random.ts';

const DURATION_MS = Number(process.env['BIGCACHE_CHAOS_MS'] ?? 60_000);
const CLIENTS = 12;
const WORKERS = 4;
const ACKNOWLEDGED_MIN = 20_000;
const PRIMARY_KILL_GAP_MS = { min: 4000, max: 8000 };
const WORKER_KILL_GAP_MS = { min: 300, max: 3000 };

const between = (random: () => number, { min, max }: { min: number; max: number }): number =>
  min + random() * (max - min);

describe('under kill -9 of workers and of the primary', () => {
  it('loses nothing acknowledged and serves nothing stale or torn', async (t) => {
    const seed = testSeed();
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const directory = await temporaryDirectory(t);
    const port = await freePort(t, directory);
    const start = (): Promise<ServerProcess> =>
      ServerProcess.start(t, directory, '--port', String(port), '--workers', String(WORKERS));
    let server = await start();
    const baseUrl = `http://127.0.0.1:${port}`;
    const clients = Array.from(
      { length: CLIENTS },
      (_, nth) => new ChaosClient(`client-${nth}`, () => baseUrl, randomFrom(seed + nth + 1)),
    );
    const runs = clients.map((client) => client.run());
    const watch = new KillWatch(clients, port);
    const everyPid = new Set<number>();
    const kills = { workers: 0, primary: 0 };
    const endAt = Date.now() + DURATION_MS;
    let killPrimaryAt = Date.now() + between(random, PRIMARY_KILL_GAP_MS);
    while (Date.now() < endAt) {
      await sleep(between(random, WORKER_KILL_GAP_MS));
      for (const pid of server.workerPids) everyPid.add(pid);
      if (Date.now() >= killPrimaryAt) {
        watch.pause();
        await server.kill();
        kills.primary += 1;
        server = await start();
        killPrimaryAt = Date.now() + between(random, PRIMARY_KILL_GAP_MS);
        watch.resume();
      } else {
        const pids = server.workerPids;
        const victim = pids[Math.floor(random() * pids.length)];
        if (victim === undefined) continue;
        await watch.kill(victim);
        kills.workers += 1;
      }
    }
    for (const client of clients) client.stop();
    await Promise.all(runs);
    await eventually(() => server.workerPids.length === WORKERS, 10_000);
    for (const client of clients) await client.verifyAll();
    for (const pid of server.workerPids) everyPid.add(pid);

    const acknowledged = clients.reduce((sum, client) => sum + client.acknowledged, 0);
    const failed = clients.reduce((sum, client) => sum + client.failed, 0);
    const violations = clients.flatMap((client) => client.violations);
    t.diagnostic(
      `${acknowledged} operations acknowledged, ${failed} failed, ${kills.workers} workers and ` +
        `${kills.primary} primaries killed, ${violations.length} violations, ` +
        `${watch.strangers.length} requests of other workers failed`,
    );
    assert.deepEqual(violations, []);
    assert.deepEqual(watch.strangers, []);
    assert.ok(acknowledged >= ACKNOWLEDGED_MIN * Math.min(1, DURATION_MS / 60_000));

    for (const client of clients) client.close();
    await assertNothingLeaks(t, server);
    assert.equal(await server.stop(), 0);
    await eventually(() => [...everyPid].every((pid) => !isAlive(pid)), 5000);
  });
});

/** Kills workers and notes failures of requests that were on another worker's connection. */
class KillWatch {
  readonly strangers: string[] = [];
  readonly #clients: readonly ChaosClient[];
  readonly #serverPort: number;
  /** Client ports whose connections may fail, since their worker was killed. */
  readonly #excused = new Set<number>();
  /** Client ports on workers that live: their connections must not fail. */
  #protected = new Set<number>();
  #isPaused = false;

  constructor(clients: readonly ChaosClient[], serverPort: number) {
    this.#clients = clients;
    this.#serverPort = serverPort;
    for (const client of clients) {
      client.onFailure = (socket) => this.#failed(client.name, socket);
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#protected.clear();
  }

  resume(): void {
    this.#excused.clear();
    this.#isPaused = false;
  }

  async kill(pid: number): Promise<void> {
    const victims = clientPortsOf(pid, this.#serverPort);
    for (const port of victims) this.#excused.add(port);
    this.#protected = new Set(
      this.#clients
        .map((client) => client.localPort)
        .filter((port) => port !== undefined && !this.#excused.has(port)) as number[],
    );
    // Connections that were made since the look at /proc belong to nobody for sure.
    for (const port of clientPortsOf(pid, this.#serverPort)) this.#protected.delete(port);
    process.kill(pid, 'SIGKILL');
    await eventually(() => !isAlive(pid));
  }

  #failed(name: string, socket: Socket | undefined): void {
    const port = socket?.localPort;
    if (this.#isPaused || port === undefined || !this.#protected.has(port)) return;
    this.strangers.push(`${name} on port ${port}`);
  }
}

/** A port that stays the same over restarts of the server. */
async function freePort(t: { after(f: () => Promise<void>): void }, path: string): Promise<number> {
  const server = await ServerProcess.start(t, path, '--workers', '1');
  const { port } = server;
  assert.equal(await server.stop(), 0);
  return port;
}

/** With all clients gone, no process may hold more descriptors than one that has just started. */
async function assertNothingLeaks(
  t: { diagnostic(message: string): void },
  server: ServerProcess,
): Promise<void> {
  await sleep(1500);
  const primary = descriptorCount(server.pid);
  const workers = server.workerPids.map(descriptorCount);
  t.diagnostic(`descriptors at the end: primary ${primary}, workers ${workers.join(', ')}`);
  assert.ok(primary < 150, `the primary holds ${primary} descriptors`);
  for (const count of workers) assert.ok(count < 350, `a worker holds ${count} descriptors`);
}
