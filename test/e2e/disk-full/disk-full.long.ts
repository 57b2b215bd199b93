/**
 * A disk that is full, and has room again, on a small tmpfs: reads go on, nothing acknowledged is lost
 * but what was evicted, and writes come back by themselves. Needs root, for the mount: run it as root or
 * under `unshare -rm`.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { ChaosClient } from '../chaos/client.ts';
import { Evictions } from '../chaos/evictions.ts';
import { randomFrom, testSeed } from '../chaos/random.ts';
import { ServerProcess } from '../server-process.ts';

const MiB = 1024 * 1024;
const ROUNDS = Number(process.env['BIGCACHE_DISK_FULL_ROUNDS'] ?? 6);
const CLIENTS = 6;
const FULL_MS = 2500;
/** A read may fail while the index is opened again. */
const REOPENING_MS = 1000;

/** Mounts a tmpfs, or fails loudly where that is not allowed. */
function mountTmpfs(path: string, bytes: number): void {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'bigcache-test', path]);
  } catch (cause) {
    throw new Error('the tests of a full disk need root, or `unshare -rm`', { cause });
  }
}

/** Takes all room but `leaveBytes`. */
function fill(path: string, leaveBytes: number): void {
  const file = openSync(path, 'w');
  const chunk = Buffer.alloc(64 * 1024);
  try {
    for (let left = freeBytes(join(path, '..')) - leaveBytes; left > 0; left -= chunk.length) {
      writeSync(file, chunk, 0, Math.min(chunk.length, left));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

describe('a disk that is full', () => {
  it('costs writes for as long as it lasts, and nothing else', async (t) => {
    const seed = testSeed();
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const mount = await temporaryDirectory(t);
    mountTmpfs(mount, 320 * MiB);
    const evictions = new Evictions();
    const store = join(mount, 'store');
    mkdirSync(store);
    const server = ServerProcess.spawn(t, [
      ...['--db-path', store, '--port', '0', '--workers', '2', '--segment-size', '4MiB'],
      ...['--min-free', '64MiB', '--log-level', 'trace'],
    ]);
    t.after(async () => {
      await server.end();
      execFileSync('umount', ['-l', mount]);
    });
    server.onLine = (line) => evictions.read(line);
    await server.listening();
    const clients = Array.from(
      { length: CLIENTS },
      (_, nth) =>
        new ChaosClient({
          name: `client-${nth}`,
          baseUrl: () => server.url,
          random: randomFrom(seed + nth + 1),
          evictions,
        }),
    );
    const runs = clients.map((client) => client.run());
    await sleep(3000);
    const resumedMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const filler = join(mount, 'filler');
      // Sometimes the last bytes are left, so that logs, tables and bodies meet the end in turn.
      const leaveBytes = round % 2 === 0 ? 0 : Math.floor(random() * 3 * MiB);
      const fullUntil = Date.now() + FULL_MS;
      while (Date.now() < fullUntil) {
        fill(`${filler}-${Date.now()}`, leaveBytes);
        await sleep(100);
      }
      execFileSync('sh', ['-c', `rm -f ${filler}-*`]);
      resumedMs.push(await timeUntilWritable(server.url));
      await sleep(1000);
    }
    for (const client of clients) client.stop();
    await Promise.all(runs);
    for (const client of clients) await client.verifyAll();
    await sleep(1500);

    const failures = server.log.filter(({ msg }) => msg?.startsWith('the index takes no writes'));
    const causes = failures.map(
      ({ err }) => JSON.stringify(err).match(/\w+\.(log|ldb)|MANIFEST/)?.[0],
    );
    const reopened = server.log
      .filter(({ msg }) => msg === 'the index takes writes again')
      .map(({ time }) => Number(time));
    const failedReads = clients.flatMap((client) => client.failedReads);
    const unexcused = failedReads.filter(
      ({ atMs }) => !reopened.some((time) => Math.abs(time - atMs) < 2 * REOPENING_MS),
    );
    const violations = clients.flatMap((client) => client.violations);
    const lost = clients.flatMap((client) => client.lost());
    const acknowledged = clients.reduce((sum, client) => sum + client.acknowledged, 0);
    t.diagnostic(
      `${acknowledged} operations acknowledged, ${ROUNDS} times full, the index failed ` +
        `${failures.length} times (${causes.join(', ')}), reopened ${reopened.length} times, ` +
        `writes back after ${resumedMs.join(', ')} ms, ${evictions.count} entries evicted, ` +
        `${failedReads.length} reads failed of which ${unexcused.length} outside a reopening, ` +
        `${lost.length} lost, ${violations.length} stale or torn`,
    );
    assert.deepEqual(violations, []);
    assert.deepEqual(lost, []);
    assert.deepEqual(unexcused, []);
    for (const ms of resumedMs) assert.ok(ms <= 5000, `writes came back after ${ms} ms`);
    for (const client of clients) client.close();
    assert.equal(await server.stop(), 0);
  });
});

/** Time until a write is taken; at most 20 s. */
async function timeUntilWritable(url: string): Promise<number> {
  const startedAt = Date.now();
  while (Date.now() - startedAt < 20_000) {
    const answer = await fetch(`${url}/pickle/probe`, { method: 'POST', body: 'probe' });
    await answer.arrayBuffer();
    if (answer.status === 200) return Date.now() - startedAt;
    await sleep(50);
  }
  return Number.POSITIVE_INFINITY;
}
