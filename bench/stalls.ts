/** Writes a volume of new entries to each server at once, and looks for pauses. */
import { closeAll, openBalanced } from './balance.ts';
import type { Peer } from './peers/peer.ts';
import { quietMs, type RequestSetup, volumeRequests } from './requests.ts';
import { type Setting, withServers } from './servers.ts';

export interface Stall {
  readonly server: string;
  readonly bodyBytes: number;
  readonly requests: number;
  readonly seconds: number;
  readonly writtenPerByte: number;
  readonly longestStallMs: number;
  readonly slowestRequestMs: number;
  readonly loadPauseMs: number;
}

export interface Volume {
  readonly bytes: number;
  /** Ends a server's turn where the volume takes it longer; undefined: nothing does. */
  readonly secondsMax: number | undefined;
}

/** Small bodies: so many requests stand for the volume, which would take minutes. */
const VOLUME_REQUESTS_MAX = 500_000;

export function runStalls(
  setting: Setting,
  setup: RequestSetup,
  peers: readonly Peer[],
  volume: Volume,
): Promise<Stall[]> {
  const { bodyBytes } = setup;
  const requests = Math.min(Math.ceil(volume.bytes / bodyBytes), VOLUME_REQUESTS_MAX);
  const durationMs = volume.secondsMax === undefined ? undefined : volume.secondsMax * 1000;
  return withServers(setting, setup, peers, async ({ load, servers }) => {
    const stalls: Stall[] = [];
    for (const server of servers) {
      const { warmUp, measured } = volumeRequests(setup, server, requests, durationMs);
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
        writtenPerByte:
          (settled.writtenBytes - before.writtenBytes) / (result.requests * bodyBytes),
        longestStallMs: result.longestStallMs,
        slowestRequestMs: result.maxUs / 1000,
        loadPauseMs: result.ownPauseMs,
      });
    }
    return stalls;
  });
}
