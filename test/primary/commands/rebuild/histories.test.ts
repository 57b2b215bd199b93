/**
 * Random histories of overwrites, deletes, purges, expiry and restarts, then a rebuild: what could
 * be read before can be read after, byte for byte, and both stores are sound.
 * BIGCACHE_TEST_HISTORIES sets how many.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runRebuild } from '../../../../src/primary/commands/rebuild/command.ts';
import { runVerify } from '../../../../src/primary/commands/verify/command.ts';
import { randomFrom, testSeed } from '../../../e2e/chaos/random.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { TestServer } from '../../../workers/store/segment-store-setup.ts';
import { pattern, RAW_META } from '../../../workers/store/store-subject.ts';
import { outcomeOf, QUIET, readAll, TRUST } from '../stopped-store-setup.ts';

const HISTORIES = Number(process.env['BIGCACHE_TEST_HISTORIES'] ?? 2);
const RUNS = 3;
const STEPS = 60;
const KEYS = Array.from({ length: 25 }, (_, nth) => `${nth % 3 === 0 ? 'a/' : 'b/'}${nth}`);

async function isSound(path: string, why: string): Promise<void> {
  const { code, out } = await outcomeOf((write) =>
    runVerify(path, { fast: false, json: false }, write, QUIET),
  );
  assert.equal(code, 0, `${why}\n${out}`);
}

/** One run of the server; notes every body that a key ever had. */
async function oneRun(
  path: string,
  random: () => number,
  clock: { nowMs: number },
  bodies: Map<string, Buffer[]>,
): Promise<void> {
  const now = (): number => clock.nowMs;
  const server = await TestServer.start(path, now);
  const workers = [server.addWorker(), server.addWorker()];
  for (let step = 0; step < STEPS; step++) {
    // Writes of one millisecond have no order that could be found again.
    clock.nowMs += 1;
    const store = workers[Math.floor(random() * workers.length)]?.store;
    const key = KEYS[Math.floor(random() * KEYS.length)] ?? '';
    const choice = random();
    if (choice < 0.75) {
      const bytes = Math.floor(random() ** 4 * 150_000);
      const body = pattern(bytes, 1 + Math.floor(random() * 1e6));
      const lifeMs = random() < 0.2 ? 1 + Math.floor(random() * 100) : 0;
      const expiresAtMs = lifeMs === 0 ? 0 : clock.nowMs + lifeMs;
      await store?.put(key, { ...RAW_META, expiresAtMs }, body);
      bodies.set(key, [...(bodies.get(key) ?? []), body]);
    } else if (choice < 0.9) await store?.delete(key);
    else if (choice < 0.98) await store?.deletePrefix('a/');
    else await store?.clear();
  }
  await server.stop();
}

describe('a rebuild of a store with a history', () => {
  it('brings back what could be read, and of other keys only what they once had', async (t) => {
    const seed = testSeed();
    t.diagnostic(`BIGCACHE_TEST_SEED=${seed}`);
    const random = randomFrom(seed);
    let readable = 0;
    for (let history = 0; history < HISTORIES; history++) {
      const path = await temporaryDirectory(t);
      const clock = { nowMs: Date.now() };
      const now = (): number => clock.nowMs;
      const bodies = new Map<string, Buffer[]>();
      for (let run = 0; run < RUNS; run++) await oneRun(path, random, clock, bodies);
      const before = await readAll(path, KEYS, now);
      await isSound(path, `seed ${seed}, history ${history}`);
      if (history % 2 === 0) await rm(join(path, 'index'), { recursive: true });
      const { code } = await outcomeOf((write) => runRebuild(path, TRUST, write, QUIET));
      assert.equal(code, 0);
      await isSound(path, `seed ${seed}, history ${history}, rebuilt`);
      const after = await readAll(path, KEYS, now);
      for (const [key, body] of before) {
        assert.ok(after.get(key)?.equals(body), `seed ${seed}: ${key} is what it was`);
      }
      for (const [key, body] of after) {
        const had = bodies.get(key)?.some((one) => one.equals(body));
        assert.ok(had, `seed ${seed}: ${key} once had this body`);
      }
      readable += before.size;
    }
    assert.ok(readable > HISTORIES, 'the histories leave something to read');
  });
});

/** Writes entries as fast as it can, until it is killed; tells after each how many are acknowledged. */
const WRITER = `
  const setup = await import(${JSON.stringify(import.meta.resolve('../../../workers/store/segment-store-setup.ts'))});
  const { pattern, RAW_META } = await import(${JSON.stringify(import.meta.resolve('../../../workers/store/store-subject.ts'))});
  const server = await setup.TestServer.start(process.argv[1]);
  const { store } = server.addWorker();
  for (let nth = 0; ; nth += 8) {
    const puts = Array.from({ length: 8 }, (_, one) =>
      store.put('page/' + (nth + one), RAW_META, pattern(((nth + one) * 37) % 20000, nth + one + 1)));
    await Promise.all(puts);
    process.stdout.write(nth + 8 + '\\n');
  }`;

describe('a store whose server was killed with kill -9', () => {
  it('is sound, and rebuilt it has every acknowledged entry', async (t) => {
    const path = await temporaryDirectory(t);
    const args = ['--import', 'tsx', '--input-type=module', '--eval', WRITER, path];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let acknowledged = 0;
    child.stdout.on('data', (text: Buffer) => {
      acknowledged = Number(text.toString().trim().split('\n').at(-1));
      if (acknowledged >= 400) child.kill('SIGKILL');
    });
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    await isSound(path, 'killed');
    await rm(join(path, 'index'), { recursive: true });
    await outcomeOf((write) => runRebuild(path, TRUST, write, QUIET));
    await isSound(path, 'rebuilt');
    const keys = Array.from({ length: acknowledged }, (_, nth) => `page/${nth}`);
    const found = await readAll(path, keys);
    assert.equal(found.size, acknowledged);
    for (const [nth, key] of keys.entries()) {
      assert.ok(found.get(key)?.equals(pattern((nth * 37) % 20000, nth + 1)), key);
    }
  });
});
