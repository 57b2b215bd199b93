/**
 * The import of a database that plyvel really wrote. The stage that runs this installs plyvel;
 * BIGCACHE_PYTHON names the interpreter that has it.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { PRIMARY, ServerProcess } from '../server-process.ts';

const ENTRIES = 100_000;
const WRITE_ORIGINAL = fileURLToPath(new URL('./write_original.py', import.meta.url));
const run = promisify(execFile);

/** The content of every file, so that any change shows. */
function fingerprint(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory)
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(directory, name)))
          .digest('hex'),
      ]),
  );
}

interface Expected {
  readonly kind: 'json' | 'raw' | 'expired';
  readonly expire: number | null;
  readonly duration: string | null;
  readonly text: string;
}

/** What write_original.py stored under the number. */
function expectedOf(nth: number, now: number): Expected {
  const text = `<html><p>page ${nth} é 데이터 \\ "q"</p></html>`.repeat(1 + (nth % 5));
  if (nth % 10 === 0) return { kind: 'raw', expire: null, duration: null, text: '' };
  if (nth % 7 === 0) return { kind: 'json', expire: null, duration: null, text };
  if (nth % 50 === 1) return { kind: 'expired', expire: null, duration: null, text };
  return { kind: 'json', expire: now + 86_400 + nth, duration: '28ds', text };
}

async function checkEntry(url: string, nth: number, now: number): Promise<Expected['kind']> {
  const expected = expectedOf(nth, now);
  const key = `dataset/${String(nth).padStart(7, '0')}/${encodeURIComponent('데이터')}`;
  const answer = await fetch(`${url}/${expected.kind === 'raw' ? 'pickle' : 'cache'}/${key}`);
  if (expected.kind === 'expired') {
    assert.equal(answer.status, 404);
    await answer.arrayBuffer();
  } else if (expected.kind === 'raw') {
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.ok(bytes.includes(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))));
  } else {
    const entry = (await answer.json()) as { value: string; expire: number; duration: string };
    assert.equal(entry.value, expected.text);
    assert.equal(entry.expire, expected.expire);
    assert.equal(entry.duration, expected.duration);
  }
  return expected.kind;
}

describe('an import of the original', () => {
  it(`takes over ${ENTRIES} entries that plyvel wrote, and leaves the source as it was`, async (t) => {
    const python = process.env['BIGCACHE_PYTHON'];
    assert.ok(python !== undefined, 'BIGCACHE_PYTHON has plyvel; see scripts/ci-slow.sh');
    const source = await temporaryDirectory(t);
    const store = await temporaryDirectory(t);
    const { stdout } = await run(python, [WRITE_ORIGINAL, source, String(ENTRIES)]);
    const { now } = JSON.parse(stdout) as { now: number };
    const before = fingerprint(source);

    const args = [PRIMARY, 'import', '--from', source, '--db-path', store];
    const interrupted = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    interrupted.stderr.resume();
    await sleep(2000);
    interrupted.kill('SIGINT');
    await once(interrupted, 'exit');
    const startedAt = performance.now();
    const finished = await run(process.execPath, args);
    const seconds = (performance.now() - startedAt) / 1000;
    assert.deepEqual(fingerprint(source), before);
    t.diagnostic(finished.stdout.trim().replaceAll('\n', '; '));

    const server = await ServerProcess.start(t, store, '--workers', '2');
    const kinds = { json: 0, raw: 0, expired: 0 };
    for (let from = 0; from < ENTRIES; from += 64) {
      const numbers = Array.from({ length: Math.min(64, ENTRIES - from) }, (_, at) => from + at);
      for (const kind of await Promise.all(
        numbers.map((nth) => checkEntry(server.url, nth, now)),
      )) {
        kinds[kind] += 1;
      }
    }
    const { count } = (await (await fetch(`${server.url}/stat/count`)).json()) as { count: number };
    assert.equal(count, kinds.json + kinds.raw);
    assert.match(
      finished.stdout,
      new RegExp(`^${count} entries imported into .*: ${kinds.json} JSON`),
    );
    assert.match(finished.stdout, new RegExp(`^${kinds.expired} skipped: expired`, 'm'));
    for (const reason of ['the key is empty', 'the key is not UTF-8', 'the key is longer']) {
      assert.ok(finished.stdout.includes(reason), finished.stdout);
    }
    t.diagnostic(
      `${count} entries readable with their lifetimes, ${kinds.expired} expired ones left out; ` +
        `${seconds.toFixed(1)} s after an interruption; source byte-identical`,
    );
    assert.equal(await server.stop(), 0);
  });

  it('refuses a source that is in use, with one line', async (t) => {
    const python = process.env['BIGCACHE_PYTHON'];
    assert.ok(python !== undefined, 'BIGCACHE_PYTHON has plyvel; see scripts/ci-slow.sh');
    const source = await temporaryDirectory(t);
    const holder = spawn(python, [
      '-c',
      'import plyvel, sys; db = plyvel.DB(sys.argv[1], create_if_missing=True); print("open", flush=True); sys.stdin.read()',
      source,
    ]);
    await once(holder.stdout, 'data');
    const args = [PRIMARY, 'import', '--from', source, '--db-path', await temporaryDirectory(t)];
    const refused = await run(process.execPath, args).catch((error: unknown) => error);
    holder.stdin.end();
    const { code, stderr } = refused as { code: number; stderr: string };
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(`^bigcache: .* is in use by process ${holder.pid}; stop .*\n$`),
    );
  });
});
