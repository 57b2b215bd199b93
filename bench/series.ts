/** The rounds of one workload at one size, in turns over servers that stay up for all of them. */
import type { MeasuredServer } from './measured-server.ts';
import type { Peer } from './peers/peer.ts';
import { quietMs, type RequestSetup, roundRequests } from './requests.ts';
import { type RoundFigures, runRound } from './round.ts';
import { type Bench, fill, type Setting, withServers } from './servers.ts';

export interface ServerRounds {
  readonly server: string;
  readonly rounds: readonly RoundFigures[];
  /** Lopsided ones, which do not count. */
  readonly thrownAway: number;
}

export interface Series {
  readonly workload: string;
  readonly bodyBytes: number;
  readonly servers: readonly ServerRounds[];
  /** What else must be known to read the figures. */
  readonly note?: string;
}

/** As many lopsided rounds as wanted ones are repeated. */
const ATTEMPTS_PER_ROUND = 2;

/** The rounds of a server so far. */
interface Lane {
  readonly server: MeasuredServer;
  readonly rounds: RoundFigures[];
  thrownAway: number;
  sent: number;
}

async function runNext(bench: Bench, setup: RequestSetup, lane: Lane, nth: number): Promise<void> {
  const { server } = lane;
  const round = await runRound(bench.load, server, {
    ...roundRequests(setup, server, nth, lane.sent),
    connections: setup.connections,
    bodyBytes: setup.bodyBytes,
    quietMs: quietMs(setup.seconds),
    prepare: async () => {
      if (setup.workload.keys === 'cold') server.dropBodies();
    },
    conclude: async () => undefined,
  });
  lane.sent += round.requests;
  if (round.isLopsided) lane.thrownAway += 1;
  else lane.rounds.push(round.figures);
}

export function runSeries(
  setting: Setting,
  setup: RequestSetup,
  peers: readonly Peer[],
): Promise<Series> {
  const { workload, bodyBytes, rounds } = setup;
  return withServers(setting, setup, peers, async (bench) => {
    await fill(bench, setup);
    const lanes = bench.servers.map((server): Lane => {
      return { server, rounds: [], thrownAway: 0, sent: 0 };
    });
    for (let nth = 0; nth < rounds * ATTEMPTS_PER_ROUND; nth++) {
      for (const lane of lanes) {
        if (lane.rounds.length < rounds) await runNext(bench, setup, lane, nth);
      }
    }
    const servers = lanes.map(({ server, rounds: kept, thrownAway }) => {
      return { server: server.name, rounds: kept, thrownAway };
    });
    return { workload: workload.name, bodyBytes, servers };
  });
}
