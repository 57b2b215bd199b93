/**
 * Real clients against the built server: none of them notices that what it reads is stored compressed,
 * and one process of the server stays small while 1 GiB of text passes it in both directions.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { pageOf } from '../../workers/store/contract-compression.ts';
import { MemoryPeaks } from '../memory-peaks.ts';
import { hasProgram, ServerProcess } from '../server-process.ts';
import { PageClient } from './page-client.ts';

const MiB = 1024 * 1024;
const LONG_BYTES = 1024 * MiB;
const WORKER_BYTES_MAX = 150 * MiB;
const run = promisify(execFile);
const PYTHON = process.env['BIGCACHE_PYTHON'] ?? 'python3';
const READ_WITH_REQUESTS =
  'import sys, requests; r = requests.get(sys.argv[1]); ' +
  'assert r.headers["content-encoding"] == "gzip"; sys.stdout.buffer.write(r.content)';

/** Programs that read a URL to their standard output, decoding what they have asked for. */
const CLIENTS: Readonly<Record<string, (url: string) => readonly [string, readonly string[]]>> = {
  curl: (url) => ['curl', ['-sS', '--compressed', url]],
  'curl without --compressed': (url) => ['curl', ['-sS', url]],
  wget: (url) => ['wget', ['-q', '-O-', '--compression=auto', url]],
  'requests of Python': (url) => [PYTHON, ['-c', READ_WITH_REQUESTS, url]],
};

async function startServer(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  return await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '1', ...args);
}

describe('clients that know nothing of compression', () => {
  it('read what was stored, byte for byte', async (t) => {
    const server = await startServer(t);
    const client = new PageClient(server.url);
    t.after(async () => client.close());
    const page = pageOf(60_000);
    await client.put('/v1/entries/page', page);
    await client.post('/cache/page.json', JSON.stringify({ value: page.toString() }));
    const tried: string[] = [];
    for (const path of ['/v1/entries/page', '/pickle/page', '/cache/page.json']) {
      const { bytes: plain } = await client.get(path, 'identity');
      const fetched = await fetch(`${server.url}${path}`);
      assert.equal(fetched.headers.get('content-encoding'), 'gzip');
      assert.ok(Buffer.from(await fetched.arrayBuffer()).equals(plain), `fetch of ${path}`);
      for (const [name, command] of Object.entries(CLIENTS)) {
        const [program, args] = command(`${server.url}${path}`);
        if (!hasProgram(program)) continue;
        const { stdout } = await run(program, args, { encoding: 'buffer', maxBuffer: 64 * MiB });
        assert.ok(stdout.equals(plain), `${name} of ${path}: ${stdout.length} bytes`);
        tried.push(name);
      }
    }
    t.diagnostic(`fetch, ${[...new Set(tried)].join(', ')}`);
    assert.equal(await server.stop(), 0);
  });
});

describe('a GiB of text', () => {
  const block = pageOf(MiB);

  function upload(url: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'text/plain' };
      const sent = request(url, { method: 'PUT', headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      });
      sent.on('error', reject);
      let left = LONG_BYTES / block.length;
      const more = (): void => {
        while (left > 0) {
          left -= 1;
          if (!sent.write(block)) {
            sent.once('drain', more);
            return;
          }
        }
        sent.end();
      };
      more();
    });
  }

  it('passes a worker in both directions, compressed and decoded, with flat memory', async (t) => {
    const server = await startServer(t);
    const peaks = new MemoryPeaks();
    peaks.watch(server);
    t.after(async () => peaks.stop());
    const url = `${server.url}/v1/entries/long`;
    assert.equal(await upload(url), 201);
    const expected = createHash('sha256');
    for (let sent = 0; sent < LONG_BYTES; sent += block.length) expected.update(block);
    const read = createHash('sha256');
    const answer = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
    assert.equal(Number(answer.headers.get('content-length')), LONG_BYTES);
    assert.ok(answer.body !== null);
    for await (const piece of answer.body) read.update(piece);
    assert.equal(read.digest('hex'), expected.digest('hex'));
    const head = await fetch(url, { method: 'HEAD' });
    const storedBytes = Number(head.headers.get('content-length'));
    t.diagnostic(
      `${LONG_BYTES} bytes stored as ${storedBytes}; ` +
        `at most ${(peaks.workerBytes / MiB).toFixed(0)} MiB of anonymous memory in a worker`,
    );
    assert.ok(storedBytes < LONG_BYTES / 2);
    assert.ok(peaks.workerBytes > 0 && peaks.workerBytes < WORKER_BYTES_MAX);
    assert.equal(await server.stop(), 0);
  });
});
