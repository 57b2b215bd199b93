/**
 * 1,000,000 entries expire and are purged while others are read: how long that takes, and what the
 * reads feel of it. BIGCACHE_TEST_ENTRIES sets another number.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LatencyHistogram } from '../../bench/latency-histogram.ts';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { writePipelined } from './pipelined-writer.ts';
import { ServerProcess } from './server-process.ts';
import { SteadyReads } from './steady-reads.ts';

const ENTRIES = Number(process.env['BIGCACHE_TEST_ENTRIES'] ?? 1_000_000);
const HALF = Math.floor(ENTRIES / 2);
/** Entries that are read, and that stay. */
const READ = 1000;
/** The server leaves an expired entry for so long. */
const GRACE_MS = 60_000;
const SETTLE_MS = 10_000;
const IDLE_MS = 20_000;
const FINISHED_WITHIN_MS = 120_000;
const P99_TIMES_IDLE_MAX = 3;

const body = (nth: number): string => `<html>${nth}</html>`.padEnd(200, '.');

function load(port: number, prefix: string, entries: number, maxAge?: () => number) {
  return writePipelined({
    port,
    entries,
    connections: 8,
    key: (nth) => `${prefix}/page/${nth}`,
    body,
    headers: () => (maxAge === undefined ? '' : `Cache-Control: max-age=${maxAge()}\r\n`),
  });
}

async function countOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/stat/count`)).json()) as { count: number }).count;
}

async function deletePrefix(url: string, prefix: string): Promise<number> {
  const answer = await fetch(`${url}/prefix/${prefix}/`, { method: 'DELETE' });
  return ((await answer.json()) as { deleted: number }).deleted;
}

const figures = (reads: LatencyHistogram): string =>
  `p50 ${(reads.percentileUs(0.5) / 1000).toFixed(2)} ms, ` +
  `p99 ${(reads.percentileUs(0.99) / 1000).toFixed(2)} ms, ` +
  `max ${(reads.maxUs / 1000).toFixed(1)} ms of ${reads.total} reads`;

describe(`the removal of ${ENTRIES.toLocaleString('en')} entries`, () => {
  it('is over within two minutes, and reads hardly feel it', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    await load(server.port, 'read', READ);
    const startedAt = performance.now();
    await load(server.port, 'purged', HALF);
    const halfMs = performance.now() - startedAt;
    // All of this half expires within one second, some time after the last of it is stored.
    const expireAtMs = Date.now() + 1.5 * halfMs + 5000;
    await load(server.port, 'expiring', HALF, () =>
      Math.max(1, Math.ceil((expireAtMs - Date.now()) / 1000)),
    );
    assert.ok(Date.now() < expireAtMs + GRACE_MS, 'the load took longer than was to be expected');
    const removableAtMs = Math.max(expireAtMs, Date.now()) + 1000 + GRACE_MS;

    const reads = await SteadyReads.start({
      port: server.port,
      connections: 8,
      everyMs: 1,
      target: (nth) => `/pickle/read/page/${nth % READ}`,
    });
    await sleep(SETTLE_MS);
    const idle = reads.measure();
    await sleep(IDLE_MS);
    reads.measure();
    assert.equal(await countOf(server.url), READ + 2 * HALF);
    await sleep(Math.max(0, removableAtMs - Date.now()));

    const during = reads.measure();
    const removalAt = performance.now();
    let purgedMs = 0;
    const purging = deletePrefix(server.url, 'purged').then((deleted) => {
      purgedMs = performance.now() - removalAt;
      return deleted;
    });
    // An entry counts until it is removed, a purged one too.
    await eventually(async () => {
      await sleep(200);
      return (await countOf(server.url)) === READ;
    }, 3 * FINISHED_WITHIN_MS);
    const finishedMs = performance.now() - removalAt;
    reads.measure();
    reads.stop();
    assert.equal(await purging, HALF);
    t.diagnostic(
      `${HALF} purged within ${(purgedMs / 1000).toFixed(1)} s, ${HALF} expired beside them, all ` +
        `removed within ${(finishedMs / 1000).toFixed(1)} s; reads idle: ${figures(idle)}; ` +
        `during the removal: ${figures(during)}`,
    );
    assert.ok(finishedMs <= FINISHED_WITHIN_MS, `it took ${finishedMs} ms`);
    const times = during.percentileUs(0.99) / idle.percentileUs(0.99);
    assert.ok(
      times <= P99_TIMES_IDLE_MAX,
      `p99 is ${times.toFixed(1)} times that of an idle server`,
    );
    assert.equal(await server.stop(), 0);
  });
});
