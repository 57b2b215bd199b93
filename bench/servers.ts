/** The servers of one measurement, side by side: started, filled, looked at and ended together. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { closeAll, openBalanced } from './balance.ts';
import { LoadGenerator } from './load-generator.ts';
import type { MeasuredServer } from './measured-server.ts';
import { storePages } from './pages.ts';
import type { Peer } from './peers/peer.ts';
import { checkAnswer } from './probe.ts';
import { firstWarmUp, preparation, quietMs, type RequestSetup } from './requests.ts';

/** What all measurements of one run have in common. */
export interface Setting {
  readonly workers: number;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly directory: string;
  /** Of the first server, the next ones have the next; 0: free ones. */
  readonly port: number;
  readonly profileDirectory: string | undefined;
}

export interface Bench {
  readonly load: LoadGenerator;
  readonly servers: readonly MeasuredServer[];
}

/** Starts a server of each peer and the load process for `work`, and ends them after it. */
export async function withServers<T>(
  setting: Setting,
  setup: RequestSetup,
  peers: readonly Peer[],
  work: (bench: Bench) => Promise<T>,
): Promise<T> {
  const parent = mkdtempSync(join(setting.directory, 'bigcache-bench-'));
  // A server that was killed just now may still write a last file.
  const remove = (): void =>
    rmSync(parent, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.once('exit', remove);
  const servers: MeasuredServer[] = [];
  const load = new LoadGenerator();
  try {
    for (const [nth, peer] of peers.entries()) {
      const directory = join(parent, String(nth));
      mkdirSync(directory);
      const port = setting.port === 0 ? 0 : setting.port + nth;
      servers.push(await peer.start({ ...setting, ...setup, directory, port }));
    }
    return await work({ load, servers });
  } finally {
    await load.end();
    for (const server of servers) await server.stop();
    process.removeListener('exit', remove);
    remove();
  }
}

/**
 * Has every server hold what the workload reads, looks whether it answers with that, and asks it for so
 * long that its code is compiled.
 */
export async function fill({ load, servers }: Bench, setup: RequestSetup): Promise<void> {
  for (const server of servers) {
    if (server.isStore) {
      if (setup.workload.keys === 'pages') await storePages(setup.pages, server.port);
      await openBalanced(load, server, setup.connections);
      for (const plan of preparation(setup, server)) await load.run(plan);
      await closeAll(load, server);
    }
    await checkAnswer(server, setup);
    await warmUp(load, server, setup);
    await server.settledFigures(quietMs(setup.seconds));
  }
}

async function warmUp(
  load: LoadGenerator,
  server: MeasuredServer,
  setup: RequestSetup,
): Promise<void> {
  const plan = firstWarmUp(setup, server);
  // Connections for one request each are made by the run.
  if (plan.newConnections === 0) await openBalanced(load, server, setup.connections);
  await load.run(plan);
  await closeAll(load, server);
}
