/**
 * Every read of every key fits one order of all that happened to it, while workers answer hits from
 * records that they hold, die, and are stopped and go on. BIGCACHE_COHERENCE_MS sets another duration, and
 * BIGCACHE_TEST_SEED repeats the choices of a run.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { pattern } from '../../workers/store/store-subject.ts';
import { Connection } from '../chaos/connection.ts';
import { randomFrom, testSeed } from '../chaos/random.ts';
import { isAlive, ServerProcess } from '../server-process.ts';
import { KeyHistory } from './key-history.ts';

const DURATION_MS = Number(process.env['BIGCACHE_COHERENCE_MS'] ?? 30_000);
const WORKERS = 4;
const KEYS = 6;
const READERS = 24;
/** After a write of which it is not known whether it happened: by then it has, or never will. */
const IN_DOUBT_MS = 8000;
const ACKNOWLEDGED_MIN = 500;
const NO_HEADERS = {};

const path = (key: string): string => `/v1/entries/${key}`;

/** Short bodies stay with their record. Long ones cannot be compressed, and stay with it when they are hot. */
function bodyOf(version: number): Buffer {
  const text = Buffer.from(`version ${version};`);
  return version % 2 === 0 ? text : Buffer.concat([text, pattern(5000, version)]);
}

function versionIn(body: Buffer): number {
  const version = /^version (\d+);/.exec(body.toString('latin1', 0, 40))?.[1];
  assert.ok(version !== undefined, 'a body is one that was written');
  assert.deepEqual(body, bodyOf(Number(version)));
  return Number(version);
}

/** Bytes of hot bodies that all workers hold. */
async function hotBytes({ url }: ServerProcess): Promise<number> {
  const answer = await fetch(`${url}/v1/stats`, { headers: { connection: 'close' } });
  const { records } = (await answer.json()) as { records: { bodyBytes: number } };
  return records.bodyBytes;
}

/** The most of them that were there at any time. */
async function watchHotBytes({ server, until }: Run): Promise<number> {
  let most = 0;
  while (performance.now() < until) {
    most = Math.max(most, await hotBytes(server).catch(() => 0));
    await sleep(500);
  }
  return most;
}

interface Run {
  readonly server: ServerProcess;
  readonly random: () => number;
  readonly until: number;
}

/** Writes one version after the other, now and then nothing. */
async function write({ server, random, until }: Run, history: KeyHistory): Promise<void> {
  const connection = new Connection(() => server.url);
  while (performance.now() < until) {
    const left = random() < 0.15 ? 'nothing' : 'value';
    const { version, acknowledged } = history.begin(left, performance.now());
    const answer =
      left === 'nothing'
        ? await connection.ask('DELETE', path(history.key), undefined, NO_HEADERS)
        : await connection.ask('PUT', path(history.key), bodyOf(version), NO_HEADERS);
    const isDone = answer !== undefined && (answer.status < 300 || answer.status === 404);
    if (isDone) acknowledged(performance.now());
    else await sleep(IN_DOUBT_MS);
    // Mostly readers have time to hold what was written.
    await sleep(random() * (random() < 0.2 ? 200 : 20));
  }
  connection.close();
}

async function read({ server, random, until }: Run, histories: KeyHistory[]): Promise<void> {
  const connection = new Connection(() => server.url);
  while (performance.now() < until) {
    const history = histories[Math.floor(random() * histories.length)] as KeyHistory;
    const beginMs = performance.now();
    const answer = await connection.ask('GET', path(history.key), undefined, NO_HEADERS);
    const endMs = performance.now();
    if (answer?.status === 200) history.read({ version: versionIn(answer.body), beginMs, endMs });
    else if (answer?.status === 404) history.read({ version: undefined, beginMs, endMs });
    // A connection to another worker, now and then.
    if (random() < 0.01) connection.close();
  }
  connection.close();
}

/** Purges what nobody looks at, which has every worker drop everything. */
async function purge({ server, random, until }: Run): Promise<number> {
  const connection = new Connection(() => server.url);
  const body = Buffer.from('{"prefix":"elsewhere/"}');
  let purges = 0;
  while (performance.now() < until) {
    const headers = { 'content-type': 'application/json' };
    const answer = await connection.ask('POST', '/v1/purge', body, headers);
    if (answer?.status === 202) purges += 1;
    await sleep(100 + random() * 900);
  }
  connection.close();
  return purges;
}

/** Kills workers, and stops others for a while, some for longer than they are waited for. */
async function disturb({ server, random, until }: Run): Promise<{ kills: number; stops: number }> {
  const done = { kills: 0, stops: 0 };
  while (performance.now() < until) {
    await sleep(500 + random() * 1500);
    const pids = server.workerPids;
    const pid = pids[Math.floor(random() * pids.length)];
    if (pid === undefined) continue;
    if (random() < 0.4) {
      process.kill(pid, 'SIGKILL');
      done.kills += 1;
      continue;
    }
    process.kill(pid, 'SIGSTOP');
    done.stops += 1;
    await sleep(random() < 0.5 ? random() * 1000 : 2000 + random() * 1500);
    if (isAlive(pid)) process.kill(pid, 'SIGCONT');
  }
  return done;
}

describe('the reads of a key, while workers hold records of it', () => {
  it('fit one order with its writes, under load, kills and stopped workers', async (t) => {
    const seed = testSeed();
    const random = randomFrom(seed);
    const directory = await temporaryDirectory(t);
    const server = await ServerProcess.start(t, directory, '--workers', String(WORKERS));
    const run: Run = { server, random, until: performance.now() + DURATION_MS };
    const histories = Array.from({ length: KEYS }, (_, nth) => new KeyHistory(`page/${nth}`));
    const [done, purges, hot] = await Promise.all([
      disturb(run),
      purge(run),
      watchHotBytes(run),
      ...histories.map((history) => write(run, history)),
      ...Array.from({ length: READERS }, () => read(run, histories)),
    ]);
    const violations = histories.flatMap((history) => history.violations());
    const sum = (of: 'reads' | 'acknowledged'): number =>
      histories.reduce((total, history) => total + history[of], 0);
    t.diagnostic(
      `seed ${seed}: ${sum('acknowledged')} changes acknowledged, ${sum('reads')} reads, ` +
        `${purges} purges, ${done.kills} workers killed, ${done.stops} stopped, ` +
        `${hot} bytes of hot bodies at most, ${violations.length} reads out of order`,
    );
    assert.deepEqual(violations.slice(0, 5), []);
    assert.ok(sum('acknowledged') >= (ACKNOWLEDGED_MIN * DURATION_MS) / 30_000);
    assert.ok(done.kills > 0 && done.stops > 0 && hot > 0);
    assert.equal(await server.stop(), 0);
  });
});
