/** Results that a test makes up: figures that are not given are 1. */
import type { RoundFigures } from '../../bench/round.ts';
import type { Series, ServerRounds } from '../../bench/series.ts';

export function someRound(given: Partial<RoundFigures> = {}): RoundFigures {
  return {
    requestsPerSecond: 1,
    p50Ms: 1,
    p99Ms: 1,
    maxMs: 1,
    cpuUsPerRequest: 1,
    anonymousBytes: [1],
    writtenPerByte: 1,
    readPerByte: 1,
    shares: [1],
    loadCpuUsPerRequest: 1,
    ...given,
  };
}

/** A server with one round for each of `rounds`. */
export function serverRounds(server: string, ...rounds: Partial<RoundFigures>[]): ServerRounds {
  return { server, rounds: rounds.map(someRound), thrownAway: 0 };
}

export function someSeries(
  workload: string,
  bodyBytes: number,
  ...servers: ServerRounds[]
): Series {
  return { workload, bodyBytes, servers };
}
