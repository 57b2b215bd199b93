/** One round of one workload against one server, and what it measured. */
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, isLopsided, openBalanced } from './balance.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';
import type { MeasuredServer } from './measured-server.ts';

export interface RoundFigures {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of all server processes. */
  readonly cpuUsPerRequest: number;
  /** The primary's first. */
  readonly anonymousBytes: readonly number[];
  /** To and from disk, per byte of the bodies that were sent or asked for. */
  readonly writtenPerByte: number;
  readonly readPerByte: number;
  /** Connections of each worker. */
  readonly shares: readonly number[];
  /** Of the load process. */
  readonly loadCpuUsPerRequest: number;
}

export interface Round {
  readonly requests: number;
  readonly figures: RoundFigures;
  readonly isLopsided: boolean;
}

export interface RoundPlan {
  readonly warmUp: LoadPlan;
  readonly measured: LoadPlan;
  readonly connections: number;
  /** Of each request, whichever way it travels. */
  readonly bodyBytes: number;
  readonly quietMs: number;
  /** Just before what is measured, and right after it. */
  readonly prepare: () => Promise<void>;
  readonly conclude: () => Promise<void>;
}

const SHARE_SAMPLES = 5;

/** Connections that live for one request are counted now and then. */
async function sampleShares(
  server: MeasuredServer,
  run: Promise<LoadResult>,
  plan: LoadPlan,
): Promise<number[]> {
  const sums = server.connectionsByWorker().map(() => 0);
  let isOver = false;
  const ended = run.finally(() => {
    isOver = true;
  });
  for (let sample = 0; sample < SHARE_SAMPLES && !isOver; sample++) {
    await Promise.race([ended, sleep(plan.durationMs / (SHARE_SAMPLES + 1))]);
    server.connectionsByWorker().forEach((held, nth) => {
      sums[nth] = (sums[nth] ?? 0) + held.size;
    });
  }
  await ended;
  return sums;
}

/** Runs the warm-up and what is measured over connections in equal shares. */
export async function runRound(
  load: LoadGenerator,
  server: MeasuredServer,
  plan: RoundPlan,
): Promise<Round> {
  const { measured } = plan;
  const isPerRequest = measured.newConnections > 0;
  let shares = isPerRequest ? [] : await openBalanced(load, server, plan.connections);
  await load.run(plan.warmUp);
  await plan.prepare();
  const before = server.figures();
  const run = load.run(measured);
  if (isPerRequest) shares = await sampleShares(server, run, measured);
  const result = await run;
  const after = server.figures();
  await plan.conclude();
  await closeAll(load, server);
  // What was written is often only on its way to the disk.
  const settled = measured.method === 'POST' ? await server.settledFigures(plan.quietMs) : after;
  const bodyBytes = result.requests * plan.bodyBytes;
  return {
    requests: result.requests,
    // A few looks at connections that come and go say little, and who accepts one is no fault of the round.
    isLopsided: !isPerRequest && isLopsided(shares),
    figures: {
      requestsPerSecond: result.requests / (result.durationMs / 1000),
      p50Ms: result.p50Us / 1000,
      p99Ms: result.p99Us / 1000,
      maxMs: result.maxUs / 1000,
      cpuUsPerRequest: (after.cpuUs - before.cpuUs) / result.requests,
      anonymousBytes: after.anonymousBytes,
      writtenPerByte: (settled.writtenBytes - before.writtenBytes) / bodyBytes,
      readPerByte: (after.readBytes - before.readBytes) / bodyBytes,
      shares,
      loadCpuUsPerRequest: result.ownCpuUs / result.requests,
    },
  };
}
