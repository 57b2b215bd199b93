/** The figures of several rounds as one. */
import { median, mediansByPlace } from './median.ts';
import type { RoundFigures } from './round.ts';

/** The median of each figure over the rounds. REQUIRES: there is a round. */
export function mediansOf(rounds: readonly RoundFigures[]): RoundFigures {
  const of = (read: (round: RoundFigures) => number): number => median(rounds.map(read));
  return {
    requestsPerSecond: of((round) => round.requestsPerSecond),
    p50Ms: of((round) => round.p50Ms),
    p99Ms: of((round) => round.p99Ms),
    maxMs: of((round) => round.maxMs),
    cpuUsPerRequest: of((round) => round.cpuUsPerRequest),
    anonymousBytes: mediansByPlace(rounds.map((round) => round.anonymousBytes)),
    writtenPerByte: of((round) => round.writtenPerByte),
    readPerByte: of((round) => round.readPerByte),
    shares: mediansByPlace(rounds.map((round) => round.shares)),
    loadCpuUsPerRequest: of((round) => round.loadCpuUsPerRequest),
  };
}
