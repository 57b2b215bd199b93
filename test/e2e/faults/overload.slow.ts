/**
 * More requests than a server can answer, twice as many: what it answers comes about as fast as when it has
 * time, and its memory stays within what it is given. Clients are a pool of connections, as load balancers
 * and client libraries keep, each with one request under way.
 *
 * BIGCACHE_OVERLOAD_MS sets another length of each of the runs.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { LoadGenerator } from '../../../bench/load-generator.ts';
import { type LoadPlan, type LoadResult, PICKLE } from '../../../bench/load-plan.ts';
import { median } from '../../../bench/median.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { MemoryPeaks } from '../memory-peaks.ts';
import { ServerProcess } from '../server-process.ts';

const RUN_MS = Number(process.env['BIGCACHE_OVERLOAD_MS'] ?? 600);
const ROUNDS = 5;
const CONNECTIONS = 32;
const KEYS = 2000;
const BODY_BYTES = 4096;
const IDLE_SHARE = 0.1;
/** The promise is 3, and the figure is printed; a shared machine is off by as much as a third of that. */
const P99_TIMES_IDLE_MAX = 4;
/** 3 was hoped for, 2 to 5.1 is what it came to, 2.5 what fastify alone has: docs/decisions/overload.md. */
const P99_OF_WRITES_TIMES_IDLE_MAX = 6;
const MB = 1_000_000;
const PRIMARY_BYTES_MAX = 300 * MB;
const WORKER_BYTES_MAX = 150 * MB;
/** A machine that was busy with something else is given one more chance. */
const ATTEMPTS = 2;

type Load = Pick<LoadPlan, 'method' | 'keyPrefix' | 'keyCount'>;
type Pace = Pick<LoadPlan, 'durationMs' | 'requestsMax' | 'everyUs'>;

const STORED: Load = { method: 'POST', keyPrefix: 'page/', keyCount: KEYS };
const READS: Load = { method: 'GET', keyPrefix: 'page/', keyCount: KEYS };
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
const AT_ONCE: Pace = { durationMs: RUN_MS, requestsMax: UNBOUNDED, everyUs: 0 };

const at = (perSecond: number): Pace => ({ ...AT_ONCE, everyUs: 1e6 / perSecond });
const rateOf = ({ requests, durationMs }: LoadResult): number => requests / (durationMs / 1000);

interface Round {
  readonly idle: LoadResult;
  readonly overloaded: LoadResult;
  readonly capacityPerSecond: number;
}

interface Served {
  readonly server: ServerProcess;
  readonly peaks: MemoryPeaks;
  run(load: Load, pace: Pace): Promise<LoadResult>;
}

async function serve(t: TestContext, ...args: readonly string[]): Promise<Served> {
  const server = await ServerProcess.start(
    t,
    await temporaryDirectory(t),
    ...['--workers', '2', ...args],
  );
  const load = new LoadGenerator();
  t.after(() => load.end());
  const peaks = new MemoryPeaks();
  t.after(() => peaks.stop());
  const { port } = server;
  await load.open(port, CONNECTIONS);
  const fixed = { port, target: PICKLE, headers: [], names: [], firstKey: 0 };
  const answered = { bodyBytes: BODY_BYTES, expectedStatus: 200, newConnections: 0 };
  return {
    server,
    peaks,
    run: (what, pace) => load.run({ ...fixed, ...answered, ...what, ...pace }),
  };
}

/** What it can do, then a tenth of that, then twice as much. */
async function overload({ run }: Served, load: Load): Promise<Round> {
  const capacityPerSecond = rateOf(await run(load, AT_ONCE));
  const idle = await run(load, at(IDLE_SHARE * capacityPerSecond));
  const overloaded = await run(load, at(2 * capacityPerSecond));
  return { capacityPerSecond, idle, overloaded };
}

async function rounds(served: Served, load: Load): Promise<{ text: string; times: number }> {
  const all: Round[] = [];
  for (let nth = 0; nth < ROUNDS; nth++) all.push(await overload(served, load));
  const middle = (figure: (round: Round) => number): number => median(all.map(figure));
  const [idleMs, overloadedMs] = [
    middle(({ idle }) => idle.p99Us) / 1000,
    middle(({ overloaded }) => overloaded.p99Us) / 1000,
  ];
  const times = overloadedMs / idleMs;
  const answered = all.reduce((sum, { overloaded }) => sum + overloaded.requests, 0);
  const text =
    `${middle((round) => round.capacityPerSecond).toFixed(0)} a second; p99 ` +
    `${idleMs.toFixed(2)} ms at a tenth of that, ${overloadedMs.toFixed(2)} ms at twice, ` +
    `${times.toFixed(2)} times; ${answered} answered meanwhile, all with 200`;
  return { text, times };
}

async function staysFast(
  t: TestContext,
  what: string,
  load: Load,
  timesMax: number,
  ...args: readonly string[]
): Promise<void> {
  const served = await serve(t, ...args);
  await served.run(STORED, { durationMs: UNBOUNDED, requestsMax: KEYS, everyUs: 0 });
  // Until its code is compiled it is slower.
  await served.run(load, AT_ONCE);
  served.peaks.watch(served.server);
  let times = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS && times > timesMax; attempt++) {
    const found = await rounds(served, load);
    times = found.times;
    t.diagnostic(`${what}: ${found.text}`);
  }
  const { primaryBytes, workerBytes } = served.peaks;
  const inMB = (bytes: number): string => `${(bytes / MB).toFixed(0)} MB`;
  t.diagnostic(`${what}: primary ${inMB(primaryBytes)}, worker ${inMB(workerBytes)} at most`);
  assert.ok(times <= timesMax, `p99 is ${times.toFixed(2)} times that of an idle server`);
  assert.ok(
    primaryBytes < PRIMARY_BYTES_MAX && workerBytes < WORKER_BYTES_MAX,
    'memory is bounded',
  );
  assert.equal(await served.server.stop(), 0);
}

describe('a server that is asked for twice what it can do', () => {
  it('answers hits about as fast as when it has time', async (t) => {
    await staysFast(t, 'hits', READS, P99_TIMES_IDLE_MAX);
  });

  it('answers reads that ask the primary about as fast as when it has time', async (t) => {
    const alone = ['--record-cache', 'off'];
    await staysFast(t, 'reads through the primary', READS, P99_TIMES_IDLE_MAX, ...alone);
  });

  it('answers writes about as fast as when it has time', async (t) => {
    await staysFast(t, 'writes', STORED, P99_OF_WRITES_TIMES_IDLE_MAX);
  });
});
