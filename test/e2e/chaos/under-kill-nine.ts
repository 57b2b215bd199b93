/**
 * kill -9 of workers, of the primary and of all at once, under writes, deletes, purges, clears, expiry,
 * reclaim and eviction: nothing acknowledged is lost, nothing stale or torn is served, a worker's death
 * fails only its own requests, nothing is left over.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { descriptorCount, endProcess, isAlive, ServerProcess } from '../server-process.ts';
import { ChaosClient } from './client.ts';
import { clientPortsOf } from './connections.ts';
import { Evictions } from './evictions.ts';
import { randomFrom, testSeed } from './random.ts';

export interface ChaosRun {
  /** It lasts so long at least, and up to five times as long where the operations are still too few. */
  readonly durationMs: number;
  /** Operations that must have been acknowledged. */
  readonly acknowledgedMin: number;
  /** What part of their usual length bodies have: with short ones more operations fit into the time. */
  readonly bodyShare: number;
  readonly clients: number;
}

const WORKERS = 4;
/** Little enough that entries are evicted all the time. */
const MAX_SIZE = '64MiB';
const CLEAR_GAP_MS = { min: 10_000, max: 20_000 };
const PRIMARY_KILL_GAP_MS = { min: 4000, max: 8000 };
const WORKER_KILL_GAP_MS = { min: 300, max: 3000 };

const between = (random: () => number, { min, max }: { min: number; max: number }): number =>
  min + random() * (max - min);

/** Runs it; prints the seed and the figures. */
export async function withstandsKillNine(
  t: TestContext,
  { durationMs, acknowledgedMin, bodyShare, clients: clientCount }: ChaosRun,
): Promise<void> {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  const directory = await temporaryDirectory(t);
  const port = await freePort(t, directory);
  const evictions = new Evictions();
  const start = async (): Promise<ServerProcess> => {
    const started = ServerProcess.spawn(t, [
      '--db-path',
      directory,
      ...['--port', String(port), '--workers', String(WORKERS)],
      ...['--max-size', MAX_SIZE, '--log-level', 'trace'],
    ]);
    started.onLine = (line) => evictions.read(line);
    await started.listening();
    return started;
  };
  let server = await start();
  const baseUrl = `http://127.0.0.1:${port}`;
  const clients = Array.from(
    { length: clientCount },
    (_, nth) =>
      new ChaosClient({
        name: `client-${nth}`,
        baseUrl: () => baseUrl,
        random: randomFrom(seed + nth + 1),
        evictions,
        bodyShare,
      }),
  );
  const runs = clients.map((client) => client.run());
  const watch = new KillWatch(clients, port);
  const everyPid = new Set<number>();
  const kills = { workers: 0, primary: 0, all: 0 };
  let clears = 0;
  let dropped = 0;
  const acknowledgedNow = (): number =>
    clients.reduce((sum, client) => sum + client.acknowledged, 0);
  const endAt = Date.now() + durationMs;
  const isOver = (): boolean =>
    Date.now() >= endAt &&
    (acknowledgedNow() >= acknowledgedMin || Date.now() >= endAt + 4 * durationMs);
  let killPrimaryAt = Date.now() + between(random, PRIMARY_KILL_GAP_MS);
  let clearAt = Date.now() + between(random, CLEAR_GAP_MS);
  while (!isOver()) {
    await sleep(between(random, WORKER_KILL_GAP_MS));
    for (const pid of server.workerPids) everyPid.add(pid);
    if (Date.now() >= killPrimaryAt) {
      watch.pause();
      dropped += droppedSegments(server);
      const isAll = random() < 0.5;
      if (isAll) for (const pid of server.workerPids) endProcess(pid);
      await server.kill();
      kills[isAll ? 'all' : 'primary'] += 1;
      server = await start();
      killPrimaryAt = Date.now() + between(random, PRIMARY_KILL_GAP_MS);
      watch.resume();
    } else if (Date.now() >= clearAt) {
      if (await clearAll(clients, baseUrl)) clears += 1;
      clearAt = Date.now() + between(random, CLEAR_GAP_MS);
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
  // The server's last lines may still be on their way.
  await sleep(1000);
  dropped += droppedSegments(server);

  const acknowledged = acknowledgedNow();
  const failed = clients.reduce((sum, client) => sum + client.failed, 0);
  const evicted = clients.reduce((sum, client) => sum + client.evicted, 0);
  const violations = clients.flatMap((client) => client.violations);
  const lost = clients.flatMap((client) => client.lost());
  t.diagnostic(
    `${acknowledged} operations acknowledged, ${failed} failed, ${kills.workers} workers, ` +
      `${kills.primary} primaries and ${kills.all} times all killed, ${clears} clears acknowledged, ` +
      `${dropped} segments reclaimed, ${evictions.count} entries evicted of which ${evicted} ` +
      `were missed, ${lost.length} lost, ${violations.length} stale or torn, ` +
      `${watch.strangers.length} requests of other workers failed`,
  );
  assert.deepEqual(violations, []);
  assert.deepEqual(lost, []);
  assert.deepEqual(watch.strangers, []);
  assert.ok(acknowledged >= acknowledgedMin, `${acknowledged} operations are too few`);
  assert.ok(clears > 0 && dropped > 0 && evictions.count > 0, 'clear, reclaim and eviction ran');

  for (const client of clients) client.close();
  await assertNothingLeaks(t, server);
  assert.equal(await server.stop(), 0);
  await eventually(() => [...everyPid].every((pid) => !isAlive(pid)), 5000);
}

/** Segments that this server gave back, by its log. */
function droppedSegments(server: ServerProcess): number {
  return server.log.filter(({ msg }) => msg === 'segment dropped').length;
}

/**
 * Clears everything while no client has anything under way, so that the order is known. Answers
 * whether that was acknowledged.
 */
async function clearAll(clients: readonly ChaosClient[], baseUrl: string): Promise<boolean> {
  let resume = (): void => undefined;
  const resumed = new Promise<void>((resolve) => {
    resume = resolve;
  });
  await Promise.all(clients.map((client) => client.pause(resumed)));
  const sentMs = Date.now();
  const answer = await fetch(`${baseUrl}/clear`, { method: 'POST' }).catch(() => undefined);
  const isAcknowledged = answer?.status === 200;
  for (const client of clients) client.cleared(isAcknowledged, sentMs);
  resume();
  return isAcknowledged;
}

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

/** With all clients gone the primary holds its tables, a worker the segments it reads (256), and little more. */
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
