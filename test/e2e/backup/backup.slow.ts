/**
 * Backups of the built server under load: one point in time, restored elsewhere and in place; and what
 * is left when the disk of the backup is full, the command is interrupted or the server is killed.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { PRIMARY, ServerProcess } from '../server-process.ts';
import { runCommand, startCommand, startProgram } from './command.ts';

const ENTRIES = Number(process.env['BIGCACHE_BACKUP_ENTRIES'] ?? 20_000);
const KEYS = 97;
const WRITERS = 6;
const BODY = 'x'.repeat(2000);

type Test = Parameters<typeof temporaryDirectory>[0];

async function put(url: string, key: string, body: string | Buffer): Promise<void> {
  const answer = await fetch(`${url}/pickle/${key}`, { method: 'POST', body });
  assert.equal(answer.status, 200, await answer.text());
}

async function get(url: string, key: string): Promise<string | undefined> {
  const answer = await fetch(`${url}/pickle/${key}`);
  const text = await answer.text();
  return answer.status === 200 ? text : undefined;
}

/** Writes generation after generation, each acknowledged before the next is sent. */
class Sequence {
  readonly latenciesMs: number[] = [];
  acknowledged = 0;
  isStopped = false;

  async run(url: string): Promise<void> {
    while (!this.isStopped) {
      const startedAtMs = performance.now();
      const generation = this.acknowledged + 1;
      await put(url, `sequence/${generation % KEYS}`, `${generation} ${BODY}`);
      this.acknowledged = generation;
      this.latenciesMs.push(performance.now() - startedAtMs);
    }
  }
}

/** The generation up to which the store holds all, and nothing after; fails when there is none. */
async function generationOf(url: string): Promise<number> {
  const generations: number[] = [];
  for (let at = 0; at < KEYS; at++) {
    const body = await get(url, `sequence/${at}`);
    assert.ok(body !== undefined, `sequence/${at} is there`);
    const [generation = '', rest] = body.split(' ');
    assert.equal(rest, BODY);
    assert.equal(Number(generation) % KEYS, at);
    generations.push(Number(generation));
  }
  generations.sort((one, other) => one - other);
  const last = generations.at(-1) ?? 0;
  const expected = Array.from({ length: KEYS }, (_, nth) => last - KEYS + 1 + nth);
  assert.deepEqual(generations, expected, 'one point in time');
  return last;
}

const p99 = (values: readonly number[]): string =>
  `${([...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0).toFixed(1)} ms`;

async function elsewhere(t: Test): Promise<string> {
  const path = await mkdtemp('/dev/shm/bigcache-test-');
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe('a backup under writes', () => {
  it('is one point in time, restored elsewhere and in place', async (t) => {
    const home = await temporaryDirectory(t);
    const server = await ServerProcess.start(t, join(home, 'store'), '--workers', '2');
    const { url } = server;
    for (let at = 0; at < ENTRIES; at += 100) {
      const chunk = Array.from({ length: 100 }, (_, nth) => put(url, `bulk/${at + nth}`, BODY));
      await Promise.all(chunk);
    }
    const sequence = new Sequence();
    const writing = [sequence.run(url)];
    let isStopped = false;
    for (let writer = 0; writer < WRITERS; writer++) {
      const write = async (): Promise<void> => {
        for (let nth = 0; !isStopped; nth++) await put(url, `load/${writer}/${nth % 500}`, BODY);
      };
      writing.push(write());
    }
    await eventually(() => sequence.acknowledged > 3 * KEYS, 60_000);
    const before = sequence.latenciesMs.splice(0);
    const from = sequence.acknowledged;
    const startedAtMs = performance.now();
    const linked = await runCommand(
      'backup',
      '--db-path',
      join(home, 'store'),
      '--to',
      join(home, 'linked'),
    );
    assert.equal(linked.code, 0, linked.err);
    const other = join(await elsewhere(t), 'copied');
    const copied = await runCommand('backup', '--db-path', join(home, 'store'), '--to', other);
    assert.equal(copied.code, 0, copied.err);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const during = sequence.latenciesMs.splice(0);
    const until = sequence.acknowledged;
    await sleep(500);
    sequence.isStopped = true;
    isStopped = true;
    await Promise.all(writing);
    t.diagnostic(linked.out.trim().replaceAll('\n', '; '));
    t.diagnostic(copied.out.trim().replaceAll('\n', '; '));
    t.diagnostic(
      `${seconds.toFixed(1)} s for both; p99 of writes ${p99(before)} before, ${p99(during)} during, ` +
        `of ${before.length} and ${during.length}`,
    );

    const restored = await runCommand('restore', '--db-path', join(home, 'new'), '--from', other);
    assert.equal(restored.code, 0, restored.err);
    for (const path of [join(home, 'linked'), join(home, 'new')]) {
      const copy = await ServerProcess.start(t, path, '--workers', '1');
      const generation = await generationOf(copy.url);
      assert.ok(
        generation >= from && generation <= until + 1,
        `${generation}: ${from} to ${until}`,
      );
      for (let nth = 0; nth < 50; nth++) {
        const at = Math.floor((nth * ENTRIES) / 50);
        assert.equal(await get(copy.url, `bulk/${at}`), BODY);
      }
      assert.equal(await copy.stop(), 0);
    }

    await put(url, 'after', 'after');
    const inPlace = await runCommand(
      'restore',
      '--db-path',
      join(home, 'store'),
      '--from',
      other,
      '--replace',
    );
    assert.equal(inPlace.code, 0, inPlace.err);
    t.diagnostic(inPlace.out.trim().replaceAll('\n', '; '));
    await generationOf(url);
    assert.equal(await get(url, 'after'), undefined);
    await put(url, 'after', 'again');
    assert.equal(await get(url, 'after'), 'again');
    assert.equal(await server.stop(), 0);
    assert.ok(!existsSync(join(home, 'store', '.control')));
  });
});

describe('a backup that cannot be made', () => {
  /** A store of 8 MiB in its directory, served. */
  async function served(t: Test) {
    const home = await temporaryDirectory(t);
    const store = join(home, 'store');
    const args = ['--workers', '1', '--compression', 'off'];
    const server = await ServerProcess.start(t, store, ...args);
    for (let nth = 0; nth < 8; nth++)
      await put(server.url, `large/${nth}`, Buffer.alloc(1 << 21, nth));
    return { server, store, home };
  }

  it('says that the disk is full and leaves nothing, before it begins and in the middle', async (t) => {
    const { server, store, home } = await served(t);
    assert.equal(await server.stop(), 0);
    for (const [room, message] of [
      ['size=4m', /needs about \d+ bytes and there are \d+ at/],
      ['size=64m,nr_inodes=12', /needs more room than there is at/],
    ] as const) {
      const mount = await mkdtemp(join(tmpdir(), 'bigcache-full-'));
      t.after(() => rm(mount, { recursive: true, force: true }));
      const script =
        `mount -t tmpfs -o ${room} tmpfs ${mount} && ` +
        `{ ${process.execPath} ${PRIMARY} backup --db-path ${store} --to ${mount}/backup; ` +
        `code=$?; ls -A ${mount}; exit $code; }`;
      const flags = process.getuid?.() === 0 ? ['-m'] : ['-r', '-m'];
      const { code, out, err } = await startProgram('unshare', [...flags, 'sh', '-c', script])
        .outcome;
      assert.match(err, message);
      assert.equal(code, 1, 'the command ran on the small disk, and refused');
      assert.equal(out, '', 'nothing is left there');
    }
    const again = await runCommand('backup', '--db-path', store, '--to', join(home, 'backup'));
    assert.equal(again.code, 0, again.err);
  });

  it('is cancelled by an interruption of the command, and leaves nothing', async (t) => {
    const { server, store } = await served(t);
    const to = join(await elsewhere(t), 'backup');
    const command = startCommand('backup', '--db-path', store, '--to', to, '--rate', '1MiB');
    await eventually(() => existsSync(join(to, 'segments')), 20_000);
    command.child.kill('SIGINT');
    const { code, err } = await command.outcome;
    assert.equal(code, 130);
    assert.match(err, /the backup was interrupted; nothing is left of it/);
    await eventually(() => !existsSync(to));
    assert.equal((await get(server.url, 'large/1'))?.length, 1 << 21);
    assert.equal(await server.stop(), 0);
  });

  it('is taken for a store by nobody when the server is killed, which starts again', async (t) => {
    const { server, store } = await served(t);
    const to = join(await elsewhere(t), 'backup');
    const command = startCommand('backup', '--db-path', store, '--to', to, '--rate', '1MiB');
    await eventually(() => existsSync(to) && readdirSync(to).includes('index'), 20_000);
    await server.kill();
    const { code, err } = await command.outcome;
    assert.equal(code, 1);
    assert.match(err, /the server ended before the backup was done/);
    const refused = await runCommand('restore', '--db-path', `${to}-new`, '--from', to);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /is no backup: it has no bigcache.json/);
    const next = await ServerProcess.start(t, store, '--workers', '1');
    const again = await runCommand('backup', '--db-path', store, '--to', `${to}-again`);
    assert.equal(again.code, 0, again.err);
    assert.equal(await next.stop(), 0);
    execFileSync('rm', ['-rf', to]);
  });
});
