/**
 * Mixed traffic for 20 minutes, in which one worker is killed again and again: memory and descriptors of the
 * primary, and of the worker that lives through all of it, stay where they are.
 *
 * BIGCACHE_SOAK_MS sets another length.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../../../bench/median.ts';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { ChaosClient } from '../chaos/client.ts';
import { Evictions } from '../chaos/evictions.ts';
import { randomFrom, testSeed } from '../chaos/random.ts';
import { anonymousBytes, descriptorCount, endProcess, ServerProcess } from '../server-process.ts';
import { type Sample, slopePerMinute } from './slope.ts';

const SOAK_MS = Number(process.env['BIGCACHE_SOAK_MS'] ?? 1_200_000);
const CLIENTS = 8;
const WORKERS = 2;
const LOOK_EVERY_MS = 2000;
const KILL_EVERY_MS = 15_000;
/** Caches fill and code is compiled in this part of the time. */
const SETTLING_SHARE = 0.25;
const QUARTERS = 4;
const MB = 1_000_000;
/** From the second quarter to the last. It goes up and down by more, and a slope through that says little. */
const GROWTH_BYTES_MAX = 10 * MB;
const DESCRIPTOR_SLOPE_MAX = 0.5;

class Watched {
  readonly #name: string;
  readonly #pid: number;
  readonly #bytes: Sample[] = [];
  readonly #descriptors: Sample[] = [];

  constructor(name: string, pid: number) {
    this.#name = name;
    this.#pid = pid;
  }

  look(): void {
    const atMs = performance.now();
    this.#bytes.push({ atMs, value: anonymousBytes(this.#pid) });
    this.#descriptors.push({ atMs, value: descriptorCount(this.#pid) });
  }

  /** What it held in the median of each quarter of the time. */
  #medians(): number[] {
    const values = this.#bytes.map(({ value }) => value);
    return Array.from({ length: QUARTERS }, (_, nth) => {
      const at = (quarter: number): number => Math.floor((quarter * values.length) / QUARTERS);
      return median(values.slice(at(nth), at(nth + 1)));
    });
  }

  judge(t: TestContext, settledAtMs: number): void {
    const settled = (all: readonly Sample[]): Sample[] =>
      all.filter(({ atMs }) => atMs >= settledAtMs);
    const [bytes, descriptors] = [settled(this.#bytes), settled(this.#descriptors)];
    const [memorySlope, descriptorSlope] = [slopePerMinute(bytes), slopePerMinute(descriptors)];
    const medians = this.#medians();
    const growthBytes = (medians.at(-1) ?? 0) - (medians[1] ?? 0);
    t.diagnostic(
      `${this.#name}: RssAnon in the median of each quarter ` +
        `${medians.map((bytes) => (bytes / MB).toFixed(0)).join(', ')} MB, ` +
        `${(memorySlope / MB).toFixed(3)} MB a minute after the first; descriptors from ${descriptors[0]?.value} to ` +
        `${descriptors.at(-1)?.value}, ${descriptorSlope.toFixed(3)} a minute`,
    );
    assert.ok(growthBytes < GROWTH_BYTES_MAX, `the memory of the ${this.#name} grows`);
    assert.ok(
      descriptorSlope < DESCRIPTOR_SLOPE_MAX,
      `the ${this.#name} opens more and more files`,
    );
  }
}

describe('a server under mixed traffic, whose workers are replaced', () => {
  it('takes no more memory and no more descriptors with time', async (t) => {
    const seed = testSeed();
    const evictions = new Evictions();
    const server = ServerProcess.spawn(t, [
      ...['--db-path', await temporaryDirectory(t), '--port', '0', '--workers', String(WORKERS)],
      ...['--max-size', '256MiB', '--log-level', 'trace'],
    ]);
    server.onLine = (line) => {
      evictions.read(line);
      // A line for each eviction, for 20 minutes.
      server.log.length = 0;
    };
    await server.listening();
    const [survivor = 0] = server.workerPids;
    const { url } = server;
    const clients = Array.from({ length: CLIENTS }, (_, nth) => {
      const random = randomFrom(seed + nth + 1);
      return new ChaosClient({ name: `client-${nth}`, baseUrl: () => url, random, evictions });
    });
    const runs = clients.map((client) => client.run());
    const watched = [new Watched('primary', server.pid), new Watched('worker', survivor)];
    const startedAtMs = performance.now();
    const endAtMs = startedAtMs + SOAK_MS;
    let killAtMs = startedAtMs + KILL_EVERY_MS;
    let kills = 0;
    while (performance.now() < endAtMs) {
      await sleep(LOOK_EVERY_MS);
      for (const one of watched) one.look();
      if (performance.now() < killAtMs) continue;
      killAtMs += KILL_EVERY_MS;
      for (const pid of server.workerPids.filter((pid) => pid !== survivor)) {
        endProcess(pid);
        kills += 1;
      }
    }
    for (const client of clients) client.stop();
    await Promise.all(runs);
    await eventually(() => server.workerPids.length === WORKERS, 10_000);
    for (const client of clients) await client.verifyAll();
    await sleep(1000);
    const acknowledged = clients.reduce((sum, client) => sum + client.acknowledged, 0);
    t.diagnostic(
      `seed ${seed}: ${acknowledged} operations acknowledged within ${(SOAK_MS / 60_000).toFixed(1)} ` +
        `minutes, ${kills} workers killed, ${evictions.count} entries evicted`,
    );
    assert.deepEqual(
      clients.flatMap((client) => client.violations),
      [],
    );
    assert.deepEqual(
      clients.flatMap((client) => client.lost()),
      [],
    );
    for (const one of watched) one.judge(t, startedAtMs + SETTLING_SHARE * SOAK_MS);
    for (const client of clients) client.close();
    assert.equal(await server.stop(), 0);
  });
});
