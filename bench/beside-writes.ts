/**
 * Reads beside writes at half of the speed that a server writes with when it does nothing else, in
 * turns with the same reads alone. The writes come from a load process of their own, at a steady rate.
 */
import { besidePresent, closeAll, openBalanced } from './balance.ts';
import { LoadGenerator } from './load-generator.ts';
import type { MeasuredServer } from './measured-server.ts';
import { median } from './median.ts';
import type { Peer } from './peers/peer.ts';
import { pacedWrites, quietMs, type RequestSetup, roundRequests } from './requests.ts';
import { type RoundFigures, type RoundPlan, runRound } from './round.ts';
import type { Series } from './series.ts';
import { type Bench, fill, type Setting, withServers } from './servers.ts';
import { READ_WHILE_WRITING, SERVERS, WRITE_NEW } from './workloads.ts';

const WRITING_CONNECTIONS = 16;

/** Writes a second of a server that does nothing else. */
async function writeSpeed(
  load: LoadGenerator,
  server: MeasuredServer,
  setup: RequestSetup,
): Promise<number> {
  const { warmUp, measured } = roundRequests({ ...setup, workload: WRITE_NEW }, server, 0, 0);
  await openBalanced(load, server, setup.connections);
  await load.run(warmUp);
  const { requests, durationMs } = await load.run(measured);
  await closeAll(load, server);
  await server.settledFigures(quietMs(setup.seconds));
  return requests / (durationMs / 1000);
}

/** A round of reads beside `perSecond` writes; resolves with its figures and the writes that there were. */
async function besideWrites(
  { load, servers: [server] }: Bench,
  writers: LoadGenerator,
  setup: RequestSetup,
  plan: RoundPlan,
  writes: { readonly nth: number; readonly perSecond: number },
): Promise<{ readonly figures: RoundFigures; readonly perSecond: number }> {
  if (server === undefined) throw new Error('there is no server to write to');
  let beside = besidePresent(server);
  let running: ReturnType<LoadGenerator['run']> | undefined;
  let perSecond = 0;
  const { figures } = await runRound(load, server, {
    ...plan,
    prepare: async () => {
      beside = besidePresent(server);
      await openBalanced(writers, beside, WRITING_CONNECTIONS);
      running = writers.run(pacedWrites(setup, server, writes.nth, writes.perSecond));
      // It is looked at when the reads are done.
      running.catch(() => undefined);
    },
    conclude: async () => {
      const result = await running;
      perSecond = result === undefined ? 0 : result.requests / (result.durationMs / 1000);
      await closeAll(writers, beside);
    },
  });
  return { figures, perSecond };
}

/** The rounds of both kinds, in turns, as if they were of two servers. */
export function runBesideWrites(
  setting: Setting,
  setup: RequestSetup,
  peer: Peer,
): Promise<Series> {
  return withServers(setting, setup, [peer], async (bench) => {
    await fill(bench, setup);
    const [server] = bench.servers;
    if (server === undefined) throw new Error('there is no server to read from');
    const writers = new LoadGenerator();
    try {
      const fullSpeed = await writeSpeed(writers, server, setup);
      const [idle, writing, reached]: [RoundFigures[], RoundFigures[], number[]] = [[], [], []];
      for (let nth = 0; nth < setup.rounds; nth++) {
        const plan: RoundPlan = {
          ...roundRequests(setup, server, nth, 0),
          connections: setup.connections,
          bodyBytes: setup.bodyBytes,
          quietMs: quietMs(setup.seconds),
          prepare: async () => undefined,
          conclude: async () => undefined,
        };
        idle.push((await runRound(bench.load, server, plan)).figures);
        const writes = { nth, perSecond: fullSpeed / 2 };
        const { figures, perSecond } = await besideWrites(bench, writers, setup, plan, writes);
        writing.push(figures);
        reached.push(perSecond);
        await server.settledFigures(quietMs(setup.seconds));
      }
      return {
        workload: READ_WHILE_WRITING,
        bodyBytes: setup.bodyBytes,
        servers: [
          { server: SERVERS.writing, rounds: writing, thrownAway: 0 },
          { server: SERVERS.idle, rounds: idle, thrownAway: 0 },
        ],
        note:
          `alone it wrote ${fullSpeed.toFixed(0)} entries/s; half of that was asked for beside the ` +
          `reads, and ${median(reached).toFixed(0)}/s were written`,
      };
    } finally {
      await writers.end();
    }
  });
}
