/** The rounds of one workload at one size: ours, bare, ours, bare, on servers that stay up for all. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from './arguments.ts';
import { closeAll, openBalanced } from './balance.ts';
import { dropBodiesFromPageCache } from './filesystem.ts';
import { LoadGenerator } from './load-generator.ts';
import { MeasuredServer } from './measured-server.ts';
import {
  preparation,
  quietMs,
  type RequestSetup,
  roundRequests,
  volumeRequests,
} from './requests.ts';
import { type RoundFigures, runRound } from './round.ts';

export interface ServerRounds {
  readonly server: MeasuredServer['name'];
  readonly rounds: readonly RoundFigures[];
  /** Lopsided ones, which do not count. */
  readonly thrownAway: number;
}

export interface Series {
  readonly workload: string;
  readonly bodyBytes: number;
  readonly servers: readonly ServerRounds[];
}

export interface Stall {
  readonly server: MeasuredServer['name'];
  readonly bodyBytes: number;
  readonly requests: number;
  readonly seconds: number;
  readonly writtenPerByte: number;
  readonly longestStallMs: number;
  readonly slowestRequestMs: number;
  readonly loadPauseMs: number;
}

/** Small bodies: so many requests stand for the volume, which would take minutes. */
const VOLUME_REQUESTS_MAX = 500_000;
/** As many lopsided rounds as wanted ones are repeated. */
const ATTEMPTS_PER_ROUND = 2;

interface Bench {
  readonly load: LoadGenerator;
  readonly servers: readonly MeasuredServer[];
  readonly directory: string;
}

/** Starts both servers and the load process for `work`, and ends them after it. */
async function withServers<T>(
  options: BenchOptions,
  bodyBytes: number,
  work: (bench: Bench) => Promise<T>,
): Promise<T> {
  const parent = mkdtempSync(join(options.directory, 'bigcache-bench-'));
  const remove = (): void => rmSync(parent, { recursive: true, force: true });
  process.once('exit', remove);
  const directory = join(parent, 'store');
  const servers: MeasuredServer[] = [];
  const load = new LoadGenerator();
  try {
    const starting = [
      MeasuredServer.startBuilt(options, directory),
      MeasuredServer.startBare(options, bodyBytes),
    ];
    for (const start of starting) servers.push(await start);
    return await work({ load, servers, directory });
  } finally {
    await load.end();
    for (const server of servers) await server.stop();
    process.removeListener('exit', remove);
    remove();
  }
}

/** Fills the store; `bare` has none. */
async function prepare({ load, servers }: Bench, setup: RequestSetup): Promise<void> {
  for (const server of servers.filter(({ name }) => name === 'bigcache')) {
    await openBalanced(load, server, setup.connections);
    for (const plan of preparation(setup, server.port)) await load.run(plan);
    await closeAll(load, server);
    await server.settledFigures(quietMs(setup.seconds));
  }
}

export function runSeries(options: BenchOptions, setup: RequestSetup): Promise<Series> {
  const { bodyBytes, workload, rounds, connections } = setup;
  return withServers(options, bodyBytes, async (bench) => {
    await prepare(bench, setup);
    const all = bench.servers.map((server) => ({
      server,
      rounds: [] as RoundFigures[],
      thrownAway: 0,
      sent: 0,
    }));
    for (let nth = 0; nth < rounds * ATTEMPTS_PER_ROUND; nth++) {
      for (const one of all) {
        if (one.rounds.length === rounds) continue;
        const requests = roundRequests(setup, one.server.port, nth, one.sent);
        const isColdDisk = workload.keys === 'cold' && one.server.name === 'bigcache';
        const round = await runRound(bench.load, one.server, {
          ...requests,
          connections,
          bodyBytes,
          quietMs: quietMs(setup.seconds),
          prepare: () => {
            if (isColdDisk) dropBodiesFromPageCache(bench.directory);
          },
        });
        one.sent += round.requests;
        if (round.isLopsided) one.thrownAway += 1;
        else one.rounds.push(round.figures);
      }
    }
    const servers = all.map(({ server, rounds: kept, thrownAway }) => {
      return { server: server.name, rounds: kept, thrownAway };
    });
    return { workload: workload.name, bodyBytes, servers };
  });
}

/** Writes the volume of new entries to each server, and looks for pauses. */
export function runStalls(options: BenchOptions, setup: RequestSetup): Promise<Stall[]> {
  const { bodyBytes } = setup;
  const requests = Math.min(Math.ceil(options.writeBytes / bodyBytes), VOLUME_REQUESTS_MAX);
  return withServers(options, bodyBytes, async ({ load, servers }) => {
    const stalls: Stall[] = [];
    for (const server of servers) {
      const { warmUp, measured } = volumeRequests(setup, server.port, requests);
      await openBalanced(load, server, setup.connections);
      await load.run(warmUp);
      const before = server.figures();
      const result = await load.run(measured);
      await closeAll(load, server);
      const settled = await server.settledFigures(quietMs(setup.seconds));
      stalls.push({
        server: server.name,
        bodyBytes,
        requests: result.requests,
        seconds: result.durationMs / 1000,
        writtenPerByte: (settled.writtenBytes - before.writtenBytes) / (requests * bodyBytes),
        longestStallMs: result.longestStallMs,
        slowestRequestMs: result.maxUs / 1000,
        loadPauseMs: result.ownPauseMs,
      });
    }
    return stalls;
  });
}
