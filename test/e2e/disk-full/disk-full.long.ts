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
import { SmallWrites } from './small-writes.ts';

const MiB = 1024 * 1024;
const ROUNDS = Number(process.env['BIGCACHE_DISK_FULL_ROUNDS'] ?? 9);
const CLIENTS = 6;
const FULL_MS = 3000;
const DISK_BYTES = 384 * MiB;
/** Under this limit LevelDB makes a table of every 2 MiB of its log. */
const STORE_BYTES_MAX = 256 * MiB;
/**
 * What each third of the rounds leaves free: too little for an append of any kind, for a body, and
 * enough for the log of the index and not for a table.
 */
const LEFT_BYTES = [0, 512 * 1024, 1.5 * MiB] as const;
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
    const mount = await temporaryDirectory(t);
    mountTmpfs(mount, DISK_BYTES);
    const evictions = new Evictions();
    const store = join(mount, 'store');
    mkdirSync(store);
    const server = ServerProcess.spawn(t, [
      ...['--db-path', store, '--port', '0', '--workers', '2', '--segment-size', '4MiB'],
      ...['--max-size', `${STORE_BYTES_MAX}`, '--min-free', '64MiB', '--log-level', 'trace'],
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
    const small = new SmallWrites(() => server.url);
    runs.push(small.run());
    await sleep(3000);
    const resumedMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const filler = join(mount, 'filler');
      const leaveBytes = LEFT_BYTES[round % LEFT_BYTES.length] ?? 0;
      const fullUntil = Date.now() + FULL_MS;
      while (Date.now() < fullUntil) {
        fill(`${filler}-${Date.now()}`, leaveBytes);
        await sleep(100);
      }
      execFileSync('sh', ['-c', `rm -f ${filler}-*`]);
      resumedMs.push(await timeUntilWritable(server.url));
      await sleep(1000);
    }
    for (const client of [...clients, small]) client.stop();
    await Promise.all(runs);
    for (const client of clients) await client.verifyAll();
    await sleep(1500);

    const failures = server.log.filter(({ msg }) => msg?.startsWith('the index takes no writes'));
    const causes = failures.map(({ err }) => JSON.stringify(err).match(/log|ldb|MANIFEST/)?.[0]);
    const appends = server.log.filter(({ msg }) => msg?.startsWith('a segment cannot be written'));
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
      `${acknowledged} operations acknowledged and ${small.acknowledged} small writes, ` +
        `${ROUNDS} times full, ${appends.length} segments failed, the index failed ` +
        `${failures.length} times (${causes.join(', ')}), reopened ${reopened.length} times, ` +
        `writes back after ${resumedMs.join(', ')} ms, ${evictions.count} entries evicted, ` +
        `${failedReads.length} reads failed of which ${unexcused.length} outside a reopening, ` +
        `${lost.length} lost, ${violations.length} stale or torn`,
    );
    assert.deepEqual(violations, []);
    assert.deepEqual(lost, []);
    assert.deepEqual(unexcused, []);
    assert.ok(appends.length > 0, 'no append met the full disk');
    assert.ok(causes.includes('log'), 'the log of the index did not meet the full disk');
    assert.ok(causes.includes('ldb'), 'no compaction met the full disk');
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
