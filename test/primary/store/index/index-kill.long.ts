/** Starts that are killed at any moment: no acknowledged write is lost, and the next start goes on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { openIndex } from './open-index.ts';

const ROUNDS = 60;
/** An open takes 20 to 60 ms, so about half of the kills hit it. */
const LIFE_MS_MAX = 60;

const source = (file: string): string => JSON.stringify(import.meta.resolve(file));

/** Opens the store and writes keys from `first` on; says when it begins, then each key it wrote. */
const writer = (path: string, first: number): string => `
  const { writeSync } = await import('node:fs');
  const { openDirectory } = await import(${source('../../../../src/primary/directory/directory.ts')});
  const { openIndex } = await import(${source('./open-index.ts')});
  writeSync(1, 'begins\\n');
  const index = await openIndex(await openDirectory(${JSON.stringify(path)}));
  for (let n = ${first}; ; n++) {
    await index.put(Buffer.from('e' + n), Buffer.alloc(2000));
    writeSync(1, n + '\\n');
  }`;

/** Runs the writer until it is killed; resolves with the keys it acknowledged. */
async function runKilled(path: string, first: number, lifeMs: number): Promise<string[]> {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', writer(path, first)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  setTimeout(() => child.kill('SIGKILL'), lifeMs);
  const [, signal] = await ended;
  assert.equal(signal, 'SIGKILL', err);
  return out.split('\n').slice(1, -1);
}

it('a start that is killed at any moment loses nothing that was acknowledged', async () => {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'bigcache-kill-')));
  try {
    const acknowledged: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const lifeMs = (round * LIFE_MS_MAX) / ROUNDS;
      acknowledged.push(...(await runKilled(path, round * 1_000_000, lifeMs)));
    }
    const directory = await openDirectory(path);
    const index = await openIndex(directory);
    const values = await index.getMany(acknowledged.map((n) => Buffer.from(`e${n}`)));
    await index.close();
    await directory.release();
    assert.ok(acknowledged.length > 0);
    assert.equal(values.filter((value) => value === undefined).length, 0);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});
