/**
 * 10,000,000 entries beside 10,000: what memory they take, how fast requests are answered, and how soon
 * the store serves again after `kill -9`. Bodies are short, 100 bytes, so that the entries fit on any
 * disk; keys are stored in random order. Both stores are measured in turns, and the medians of the turns
 * are compared. BIGCACHE_TEST_ENTRIES sets another number than 10,000,000, and
 * BIGCACHE_TEST_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { shuffled } from '../../bench/eviction/random.ts';
import type { LatencyHistogram } from '../../bench/latency-histogram.ts';
import { median } from '../../bench/median.ts';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { randomFrom, testSeed } from './chaos/random.ts';
import { firstHit } from './first-hit.ts';
import { type Memory, MemoryPeaks, memoryOf } from './memory-peaks.ts';
import { writePipelined } from './pipelined-writer.ts';
import { isAlive, ServerProcess } from './server-process.ts';
import { SteadyLoad } from './steady-load.ts';
import { allocatedBytes } from './tree-bytes.ts';

const ENTRIES = Number(process.env['BIGCACHE_TEST_ENTRIES'] ?? 10_000_000);
const FEW = 10_000;
const PAGES_PER_SECTION = 1000;
const READ_EVERY_MS = 1;
const WRITE_EVERY_MS = 5;
const TURNS = 5;
const SETTLE_MS = 3000;
const MEASURE_MS = 12_000;
/** The compactions of LevelDB are over when its directory has not changed for so long. */
const QUIET_MS = 5000;
const QUIET_WITHIN_MS = 600_000;
const HIT_WITHIN_MS = 2000;
const P99_TIMES_FEW_MAX = 1.5;
const MB = 1_000_000;
const PRIMARY_BYTES_MAX = 300 * MB;
const WORKER_BYTES_MAX = 150 * MB;

const bodyOf = (key: string): string => `<html>${key}</html>`.padEnd(100, '.');

/** The keys of the catalogue, in the order in which they are stored. */
class Catalogue {
  /** Keys that have been sent. */
  stored = 0;
  readonly #order: Int32Array;

  constructor(random: () => number, keys: number) {
    this.#order = shuffled(random, keys);
  }

  key(nth: number): string {
    const page = this.#order[nth];
    assert.ok(page !== undefined, `the catalogue has no key ${nth}`);
    return `catalogue/section-${Math.floor(page / PAGES_PER_SECTION)}/page-${page}`;
  }

  async loadTo(entries: number, port: number): Promise<void> {
    const first = this.stored;
    await writePipelined({
      port,
      entries: entries - first,
      connections: 8,
      key: (nth) => this.key(first + nth),
      body: (nth) => bodyOf(this.key(first + nth)),
    });
    this.stored = entries;
  }
}

/** A store that is read and written in turns with another: what was measured in each turn. */
class Measured {
  readonly reads: LatencyHistogram[] = [];
  readonly writes: LatencyHistogram[] = [];
  readonly #port: number;
  readonly #catalogue: Catalogue;
  readonly #random: () => number;

  constructor(port: number, catalogue: Catalogue, random: () => number) {
    this.#port = port;
    this.#catalogue = catalogue;
    this.#random = random;
  }

  /** Reads random entries, and stores new ones and old ones in turn. */
  async takeTurn(): Promise<void> {
    const [port, catalogue] = [this.#port, this.#catalogue];
    const loaded = catalogue.stored;
    const anyKey = (): string => catalogue.key(Math.floor(this.#random() * loaded));
    const reads = await SteadyLoad.start({
      port,
      connections: 8,
      everyMs: READ_EVERY_MS,
      request: () => ({ method: 'GET', target: `/pickle/${anyKey()}` }),
    });
    const writes = await SteadyLoad.start({
      port,
      connections: 4,
      everyMs: WRITE_EVERY_MS,
      request: (nth) => {
        const key = nth % 2 === 0 ? catalogue.key(catalogue.stored++) : anyKey();
        return { method: 'POST', target: `/pickle/${key}`, body: Buffer.from(bodyOf(key)) };
      },
    });
    await sleep(SETTLE_MS);
    this.reads.push(reads.measure());
    this.writes.push(writes.measure());
    await sleep(MEASURE_MS);
    reads.measure();
    writes.measure();
    await Promise.all([reads.stop(), writes.stop()]);
  }
}

type Kind = 'reads' | 'writes';

const p99Ms = (measured: Measured, of: Kind): number =>
  median(measured[of].map((turn) => turn.percentileUs(0.99))) / 1000;

const timesOf = (many: Measured, few: Measured, of: Kind): number =>
  p99Ms(many, of) / p99Ms(few, of);

const turnsOf = (measured: Measured, of: Kind): string =>
  measured[of].map((turn) => (turn.percentileUs(0.99) / 1000).toFixed(2)).join(', ');

async function takeTurns(one: Measured, other: Measured): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) {
    await one.takeTurn();
    await other.takeTurn();
  }
}

/** Resolves when LevelDB has no compaction to do. */
async function settled(indexPath: string): Promise<void> {
  let bytes = -1;
  let sinceMs = 0;
  await eventually(async () => {
    await sleep(250);
    const now = allocatedBytes(indexPath);
    if (now !== bytes) [bytes, sinceMs] = [now, performance.now()];
    return performance.now() - sinceMs >= QUIET_MS;
  }, QUIET_WITHIN_MS);
}

/** Kills the primary, waits for the end of its workers, and starts a server on the same port. */
async function restartKilled(
  test: Parameters<typeof ServerProcess.spawn>[0],
  server: ServerProcess,
  args: readonly string[],
): Promise<{ readonly started: ServerProcess; readonly startedAtMs: number }> {
  const { workerPids, port } = server;
  await server.kill();
  await eventually(() => !workerPids.some(isAlive), 20_000);
  const startedAtMs = performance.now();
  const started = ServerProcess.spawn(test, [...args, '--port', String(port)]);
  return { started, startedAtMs };
}

const inMB = ({ primaryBytes, workerBytes }: Memory): string =>
  `${(primaryBytes / MB).toFixed(0)} and ${(workerBytes / MB).toFixed(0)} MB`;

describe(`a store of ${ENTRIES.toLocaleString('en')} entries`, () => {
  it('is as fast as a small one, takes little memory, and serves at once after a kill', async (t) => {
    const seed = testSeed();
    const random = randomFrom(seed);
    // Each measurement stores new entries too.
    const spare = Math.ceil((2 * TURNS * (SETTLE_MS + MEASURE_MS + 1000)) / WRITE_EVERY_MS);
    const catalogue = new Catalogue(random, ENTRIES + spare);
    const small = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    const few = new Catalogue(random, FEW + spare);
    await few.loadTo(FEW, small.port);
    const directory = await temporaryDirectory(t);
    const indexPath = join(directory, 'index');
    const args = ['--db-path', directory, '--workers', '2'];
    const server = await ServerProcess.start(t, directory, ...args.slice(2));
    const peaks = new MemoryPeaks();
    t.after(() => peaks.stop());
    peaks.watch(server);

    const loadStartedAt = performance.now();
    await catalogue.loadTo(ENTRIES, server.port);
    const loadSeconds = (performance.now() - loadStartedAt) / 1000;
    await settled(indexPath);
    const settledSeconds = (performance.now() - loadStartedAt) / 1000;
    const ofFew = new Measured(small.port, few, random);
    const ofMany = new Measured(server.port, catalogue, random);
    await takeTurns(ofFew, ofMany);
    const before = memoryOf(server);

    const count = catalogue.stored;
    const known = catalogue.key(Math.floor(random() * ENTRIES));
    const { url } = server;
    const { started, startedAtMs } = await restartKilled(t, server, args);
    await firstHit(`${url}/pickle/${known}`, 10 * HIT_WITHIN_MS);
    const hitMs = performance.now() - startedAtMs;
    await started.listening();
    peaks.watch(started);
    const answer = await fetch(`${url}/pickle/${known}`);
    assert.equal(await answer.text(), bodyOf(known));
    const { count: counted } = (await (await fetch(`${url}/stat/count`)).json()) as {
      count: number;
    };
    const again = new Measured(started.port, catalogue, random);
    await again.takeTurn();
    const after = memoryOf(started);
    peaks.stop();

    const mebibytes = (path: string): string =>
      (allocatedBytes(join(directory, path)) / 2 ** 20).toFixed(0);
    t.diagnostic(
      `seed ${seed}: ${ENTRIES} entries of 100 bytes, loaded within ${loadSeconds.toFixed(0)} s, ` +
        `settled within ${settledSeconds.toFixed(0)} s; index ${mebibytes('index')} MiB, segments ` +
        `${mebibytes('segments')} MiB; RssAnon of the primary and of the largest worker at most ` +
        `${inMB(peaks)}, ${inMB(before)} before the kill, ${inMB(after)} at the end; first hit ` +
        `${hitMs.toFixed(0)} ms after a start that followed kill -9`,
    );
    for (const of of ['reads', 'writes'] as const) {
      t.diagnostic(
        `p99 of ${of}, ms: at ${FEW} entries ${turnsOf(ofFew, of)}; at ${ENTRIES} ` +
          `${turnsOf(ofMany, of)}, ${timesOf(ofMany, ofFew, of).toFixed(2)} times by the medians; ` +
          `after the kill ${turnsOf(again, of)}`,
      );
    }
    // Of the last writes some may not have been under way to their end when the load was stopped.
    assert.ok(
      counted <= count && counted >= count - 16,
      `${counted} of ${count} entries are there`,
    );
    assert.ok(peaks.primaryBytes < PRIMARY_BYTES_MAX, 'the primary takes too much memory');
    assert.ok(peaks.workerBytes < WORKER_BYTES_MAX, 'a worker takes too much memory');
    assert.ok(hitMs < HIT_WITHIN_MS, `the first hit came after ${hitMs} ms`);
    for (const of of ['reads', 'writes'] as const) {
      const times = timesOf(ofMany, ofFew, of);
      assert.ok(times <= P99_TIMES_FEW_MAX, `p99 of ${of} is ${times.toFixed(2)} times that`);
    }
    assert.equal(await started.stop(), 0);
  });
});
