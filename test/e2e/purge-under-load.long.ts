/**
 * 1,000,000 entries expire and are purged, and the space that they took is reclaimed, while others that
 * lie between them are read: how long that takes, and what the reads feel of it. Bodies have 200 bytes;
 * segments have 4 MiB, so that they are full and reclaimed at any number. BIGCACHE_TEST_ENTRIES sets
 * another number.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { writePipelined } from './pipelined-writer.ts';
import { ServerProcess } from './server-process.ts';
import { describeLatencies, SteadyLoad } from './steady-load.ts';
import { allocatedBytes } from './tree-bytes.ts';

const MiB = 1024 * 1024;
const ENTRIES = Number(process.env['BIGCACHE_TEST_ENTRIES'] ?? 1_000_000);
const HALF = Math.floor(ENTRIES / 2);
/** After so many entries that go comes one that is read, and that stays. */
const GOING_PER_READ = 10;
const READ_PER_HALF = Math.ceil(HALF / GOING_PER_READ);
const READ = 2 * READ_PER_HALF;
const VERIFIED = Math.min(READ, 2000);
const WORKERS = 2;
const SEGMENT_BYTES = 4 * MiB;
/** The server leaves an expired entry for so long. */
const GRACE_MS = 60_000;
const SETTLE_MS = 10_000;
const IDLE_MS = 20_000;
const FINISHED_WITHIN_MS = 120_000;
const P99_TIMES_IDLE_MAX = 3;

const readKey = (nth: number): string => `read/page/${nth}`;
const bodyOf = (key: string): string => `<html>${key}</html>`.padEnd(200, '.');

/** Stores half of what goes under `prefix`, and half of what is read between it. */
function load(port: number, prefix: string, firstRead: number, maxAge?: () => number) {
  const round = GOING_PER_READ + 1;
  const isRead = (nth: number): boolean => nth % round === 0;
  const key = (nth: number): string => {
    const reads = Math.floor(nth / round);
    return isRead(nth) ? readKey(firstRead + reads) : `${prefix}/page/${nth - reads - 1}`;
  };
  return writePipelined({
    port,
    entries: HALF + READ_PER_HALF,
    connections: 8,
    key,
    body: (nth) => bodyOf(key(nth)),
    headers: (nth) =>
      maxAge === undefined || isRead(nth) ? '' : `Cache-Control: max-age=${maxAge()}\r\n`,
  });
}

async function countOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/stat/count`)).json()) as { count: number }).count;
}

async function deletePrefix(url: string, prefix: string): Promise<number> {
  const answer = await fetch(`${url}/prefix/${prefix}/`, { method: 'DELETE' });
  return ((await answer.json()) as { deleted: number }).deleted;
}

describe(`the removal of ${ENTRIES.toLocaleString('en')} entries`, () => {
  it('gives their space back within two minutes, and reads hardly feel it', async (t) => {
    const directory = await temporaryDirectory(t);
    const segments = join(directory, 'segments');
    const options = ['--workers', String(WORKERS), '--segment-size', String(SEGMENT_BYTES)];
    const server = await ServerProcess.start(t, directory, ...options);
    const startedAt = performance.now();
    await load(server.port, 'purged', 0);
    const halfMs = performance.now() - startedAt;
    // All of this half expires within one second, some time after the last of it is stored.
    const expireAtMs = Date.now() + 1.5 * halfMs + 5000;
    await load(server.port, 'expiring', READ_PER_HALF, () =>
      Math.max(1, Math.ceil((expireAtMs - Date.now()) / 1000)),
    );
    assert.ok(Date.now() < expireAtMs + GRACE_MS, 'the load took longer than was to be expected');
    const removableAtMs = Math.max(expireAtMs, Date.now()) + 1000 + GRACE_MS;
    const loadedBytes = allocatedBytes(segments);
    const liveBytes = (loadedBytes * READ) / (READ + 2 * HALF);
    // Less garbage than half of a segment stays, and whatever is in the segments that are open.
    const reclaimedBytes = 2 * liveBytes + (WORKERS + 1) * SEGMENT_BYTES;
    assert.ok(reclaimedBytes < loadedBytes, 'so few entries make no garbage to be reclaimed');

    const reads = await SteadyLoad.start({
      port: server.port,
      connections: 8,
      everyMs: 1,
      // A step that shares no factor with most numbers of entries, so that reads go to all segments.
      request: (nth) => ({ method: 'GET', target: `/pickle/${readKey((nth * 7919) % READ)}` }),
    });
    await sleep(SETTLE_MS);
    const idle = reads.measure();
    await sleep(IDLE_MS);
    reads.measure();
    assert.equal(await countOf(server.url), READ + 2 * HALF);
    await sleep(Math.max(0, removableAtMs - Date.now()));

    const during = reads.measure();
    const removalAt = performance.now();
    const sinceRemoval = (): number => (performance.now() - removalAt) / 1000;
    let purgedSeconds = 0;
    const purging = deletePrefix(server.url, 'purged').then((deleted) => {
      purgedSeconds = sinceRemoval();
      return deleted;
    });
    // An entry counts until it is removed, a purged one too.
    await eventually(async () => {
      await sleep(200);
      return (await countOf(server.url)) === READ;
    }, 3 * FINISHED_WITHIN_MS);
    const removedSeconds = sinceRemoval();
    let leftBytes = Number.POSITIVE_INFINITY;
    await eventually(async () => {
      await sleep(200);
      leftBytes = allocatedBytes(segments);
      return leftBytes <= reclaimedBytes;
    }, 3 * FINISHED_WITHIN_MS);
    const finishedSeconds = sinceRemoval();
    reads.measure();
    await reads.stop();
    assert.equal(await purging, HALF);
    const mebibytes = (bytes: number): string => (bytes / MiB).toFixed(1);
    t.diagnostic(
      `${HALF} purged within ${purgedSeconds.toFixed(1)} s, ${HALF} expired beside them, all ` +
        `removed within ${removedSeconds.toFixed(1)} s and reclaimed within ` +
        `${finishedSeconds.toFixed(1)} s: segments from ${mebibytes(loadedBytes)} to ` +
        `${mebibytes(leftBytes)} MiB, about ${mebibytes(liveBytes)} MiB of them live; reads idle: ` +
        `${describeLatencies(idle)}; during the removal: ${describeLatencies(during)}`,
    );
    for (let nth = 0; nth < VERIFIED; nth++) {
      const key = readKey(Math.floor((nth * READ) / VERIFIED));
      const answer = await fetch(`${server.url}/pickle/${key}`);
      assert.equal(await answer.text(), bodyOf(key));
    }
    assert.ok(finishedSeconds * 1000 <= FINISHED_WITHIN_MS, `it took ${finishedSeconds} s`);
    const times = during.percentileUs(0.99) / idle.percentileUs(0.99);
    assert.ok(
      times <= P99_TIMES_IDLE_MAX,
      `p99 is ${times.toFixed(1)} times that of an idle server`,
    );
    assert.equal(await server.stop(), 0);
  });
});
