/** The results of a run, as they are written as JSON and read again. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Machine } from './machine.ts';
import type { Series } from './series.ts';
import type { Stall } from './stalls.ts';

export interface Measured {
  readonly series: readonly Series[];
  readonly stalls: readonly Stall[];
}

export interface Results extends Measured {
  /** The day, as 2026-01-31. */
  readonly date: string;
  readonly machine: Machine;
  readonly workers: number;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Part of it was kept from an earlier run, whose setting may have been another. */
  readonly isOfSeveralRuns?: boolean;
}

/** `earlier`, with what was measured again in the place of what it was, and the rest behind. */
export function together(earlier: Measured, measured: Measured): Measured {
  const isSame = (one: Series, other: Series): boolean =>
    one.workload === other.workload && one.bodyBytes === other.bodyBytes;
  const again = earlier.series.map(
    (one) => measured.series.find((other) => isSame(one, other)) ?? one,
  );
  return {
    series: [...again, ...measured.series.filter((one) => !again.includes(one))],
    stalls: measured.stalls.length > 0 ? measured.stalls : earlier.stalls,
  };
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

/** Throws where the file is not there or holds something else. */
export function readResults(file: string): Results {
  const results = JSON.parse(readFileSync(file, 'utf8')) as Partial<Results> | null;
  if (results?.series === undefined || results.stalls === undefined) {
    throw new Error(`${file} holds no results of the benchmark`);
  }
  return results as Results;
}
