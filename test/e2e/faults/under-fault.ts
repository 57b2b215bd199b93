/**
 * A server that meets a fault while clients write, read, delete and purge: whatever was acknowledged is
 * there afterwards, nothing stale or torn is served, and full strength comes back by itself.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { ChaosClient } from '../chaos/client.ts';
import { Evictions } from '../chaos/evictions.ts';
import { randomFrom, testSeed } from '../chaos/random.ts';
import { type LogLine, ServerProcess } from '../server-process.ts';
import { workersReady } from '../workers-ready.ts';

export interface FaultyRun {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** A command that becomes the server. */
  readonly under?: readonly string[];
  /** Makes the fault, and ends it; the clients go on meanwhile, and for a while after. */
  readonly fault: (server: ServerProcess) => Promise<void>;
}

export interface FaultFigures {
  readonly acknowledged: number;
  readonly failed: number;
  /** From the end of the fault until all workers are there and writes are taken. */
  readonly recoveredMs: number;
  readonly log: readonly LogLine[];
}

const CLIENTS = 8;
const WORKERS = 2;
const BEFORE_MS = 1500;
const AFTER_MS = 1500;
const RECOVERED_WITHIN_MS = 15_000;

/** Runs it; prints the seed and the figures. Fails for what was lost, stale or torn. */
export async function withstands(t: TestContext, run: FaultyRun): Promise<FaultFigures> {
  const seed = testSeed();
  const directory = await temporaryDirectory(t);
  const evictions = new Evictions();
  const args = ['--db-path', directory, '--port', '0', '--workers', String(WORKERS)];
  const { env = {}, under = [] } = run;
  const server = ServerProcess.spawn(
    t,
    [...args, '--log-level', 'trace', ...(run.args ?? [])],
    env,
    under,
  );
  server.onLine = (line) => evictions.read(line);
  await server.listening();
  const { url } = server;
  const clients = Array.from({ length: CLIENTS }, (_, nth) => {
    const random = randomFrom(seed + nth + 1);
    return new ChaosClient({
      name: `client-${nth}`,
      baseUrl: () => url,
      random,
      evictions,
      bodyShare: 0.2,
    });
  });
  const runs = clients.map((client) => client.run());
  await sleep(BEFORE_MS);
  await run.fault(server);
  const endedAtMs = performance.now();
  await eventually(() => isWhole(server), RECOVERED_WITHIN_MS);
  const recoveredMs = performance.now() - endedAtMs;
  await sleep(AFTER_MS);
  for (const client of clients) client.stop();
  await Promise.all(runs);
  for (const client of clients) await client.verifyAll();

  const sum = (of: (client: ChaosClient) => number): number =>
    clients.reduce((total, client) => total + of(client), 0);
  const figures = {
    acknowledged: sum((client) => client.acknowledged),
    failed: sum((client) => client.failed),
    recoveredMs,
    log: server.log,
  };
  t.diagnostic(
    `seed ${seed}: ${figures.acknowledged} operations acknowledged, ${figures.failed} cut off, whole ` +
      `again ${recoveredMs.toFixed(0)} ms after the fault`,
  );
  assert.deepEqual(
    clients.flatMap((client) => client.violations),
    [],
  );
  assert.deepEqual(
    clients.flatMap((client) => client.lost()),
    [],
  );
  for (const client of clients) client.close();
  assert.equal(await server.stop(), 0);
  return figures;
}

/** The directory of the store of a server that `withstands` has started. */
export function storeOf({ child: { spawnargs } }: ServerProcess): string {
  const path = spawnargs[spawnargs.indexOf('--db-path') + 1];
  assert.ok(path !== undefined);
  return path;
}

/** Whether all workers are there and listen, and the server says that it takes writes. */
export async function isWhole(server: ServerProcess): Promise<boolean> {
  if (server.workerPids.length < WORKERS) return false;
  if ((await workersReady(server.url)) < WORKERS) return false;
  const alone = { headers: { connection: 'close' }, signal: AbortSignal.timeout(1000) };
  const answer = await fetch(`${server.url}/readyz`, alone).catch(() => undefined);
  return answer?.status === 200;
}
