/**
 * Three times the quota is written, with overwrites and removals, while recent keys are read: what the
 * directory takes, index included, and that nothing wrong is served. BIGCACHE_TEST_QUOTAS chooses the
 * quotas, separated by commas (256MiB,10GiB); BIGCACHE_TEST_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { randomFrom, testSeed } from '../chaos/random.ts';
import { ServerProcess } from '../server-process.ts';
import { allocatedBytes } from '../tree-bytes.ts';
import { Bodies, MEAN_BODY_BYTES } from './bodies.ts';
import { RecentReader } from './reader.ts';
import { RecentKeys } from './recent-keys.ts';
import { fill } from './writers.ts';

const QUOTAS = (process.env['BIGCACHE_TEST_QUOTAS'] ?? '256MiB,10GiB').split(',');
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const CONNECTIONS = 8;
const TIMES_WRITTEN = 3;
const TIMES_QUOTA_MAX = 1.1;
const SAMPLE_EVERY_MS = 100;
/** The keys that are overwritten, removed and read take about so much of the quota. */
const RECENT_SHARE = 0.25;

function bytesOf(quota: string): number {
  const [, number, unit] = /^(\d+)(MiB|GiB)$/.exec(quota) ?? [];
  assert.ok(number !== undefined, `a quota is given like 256MiB or 10GiB, not ${quota}`);
  return Number(number) * (unit === 'GiB' ? GiB : MiB);
}

/** Looks at a directory again and again, and keeps the most that it took. */
class PeakOf {
  bytes = 0;
  samples = 0;
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;

  constructor(path: string) {
    this.#path = path;
    this.#timer = setInterval(() => this.#look(), SAMPLE_EVERY_MS);
  }

  stop(): void {
    this.#look();
    clearInterval(this.#timer);
  }

  #look(): void {
    this.bytes = Math.max(this.bytes, allocatedBytes(this.#path));
    this.samples += 1;
  }
}

async function countOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/stat/count`)).json()) as { count: number }).count;
}

describe('a store with a quota', () => {
  for (const quota of QUOTAS) {
    it(`stays within ${quota} while three times as much is written`, async (t) => {
      const quotaBytes = bytesOf(quota);
      const seed = testSeed();
      const directory = await temporaryDirectory(t);
      const server = await ServerProcess.start(
        t,
        directory,
        ...['--workers', '2', '--max-size', quota],
      );
      const bodies = new Bodies();
      const recentMax = Math.max(16, Math.round((RECENT_SHARE * quotaBytes) / MEAN_BODY_BYTES));
      const recent = new RecentKeys(recentMax, randomFrom(seed));
      const reader = new RecentReader({ url: server.url, bodies, recent });
      const peak = new PeakOf(directory);
      const startedAt = performance.now();
      reader.start();
      const filled = await fill({
        port: server.port,
        connections: CONNECTIONS,
        bytes: TIMES_WRITTEN * quotaBytes,
        bodies,
        recent,
        random: randomFrom(seed + 1),
      });
      const seconds = (performance.now() - startedAt) / 1000;
      await reader.stop();
      // What is given back, and what LevelDB compacts, goes on for a moment.
      await sleep(1000);
      peak.stop();
      const share = peak.bytes / quotaBytes;
      const entries = await countOf(server.url);
      const mebibytes = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;
      t.diagnostic(
        `seed ${seed}: ${mebibytes(filled.bytes)} of bodies written in ${seconds.toFixed(1)} s, ` +
          `${(filled.bytes / 1e6 / seconds).toFixed(0)} MB/s (${filled.writes} new keys, ` +
          `${filled.overwrites} overwrites, ${filled.removals} removals; ` +
          `${[...filled.statuses].map(([what, times]) => `${what}: ${times}`).join(', ')}); ` +
          `the directory took ${mebibytes(peak.bytes)} at most, ${share.toFixed(3)} times the ` +
          `quota, in ${peak.samples} samples; at the end ${entries} entries, segments ` +
          `${mebibytes(allocatedBytes(join(directory, 'segments')))}, index ` +
          `${mebibytes(allocatedBytes(join(directory, 'index')))}; ${reader.hits} hits in ` +
          `${reader.reads} reads of the ${recentMax} most recent keys`,
      );
      assert.deepEqual(reader.violations, []);
      const refused = [...filled.statuses.keys()].filter(
        (what) => !['POST 200', 'DELETE 200', 'DELETE 404'].includes(what),
      );
      assert.deepEqual(refused, []);
      assert.ok(reader.hits > 0, 'no recent key was there');
      assert.ok(share <= TIMES_QUOTA_MAX, `the directory took ${share.toFixed(3)} times the quota`);
      assert.equal(await server.stop(), 0);
    });
  }
});
