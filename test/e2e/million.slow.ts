/**
 * A store of many entries: what the original's face promises at that size.
 */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../temporary-directory.ts';
import { writePipelined } from './pipelined-writer.ts';
import { anonymousBytes, ServerProcess } from './server-process.ts';

const ENTRIES = Number(process.env['BIGCACHE_TEST_ENTRIES'] ?? 250_000);
const READERS = 8;
const MiB = 1024 * 1024;

const keyOf = (nth: number): string => `${nth % 2 === 0 ? 'even' : 'odd'}/page/${nth}`;
const bodyOf = (nth: number): string => `<html>${nth}</html>`.padEnd(200, '.');

/** A reader with a connection of its own, so that several workers are asked. */
class Reader {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  read(path: string): Promise<{ status: number; text: string; tookMs: number }> {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      get(this.#url + path, { agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const tookMs = performance.now() - startedAt;
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, text, tookMs });
        });
      }).on('error', reject);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Time from `act` to the last moment at which any reader still saw an entry of `paths`. */
async function timeUntilGone(
  readers: readonly Reader[],
  paths: readonly string[],
  act: () => Promise<unknown>,
): Promise<number> {
  const startedAt = performance.now();
  const acting = act();
  let lastHitMs = 0;
  await Promise.all(
    readers.map(async (reader, nth) => {
      for (let misses = 0, round = 0; misses < 20 && round < 10_000; round++) {
        const asked = performance.now();
        const { status } = await reader.read(paths[(nth + round) % paths.length] ?? '');
        if (status === 200) lastHitMs = Math.max(lastHitMs, asked - startedAt);
        misses = status === 404 ? misses + 1 : 0;
      }
    }),
  );
  await acting;
  return lastHitMs;
}

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

describe(`a store of ${ENTRIES.toLocaleString('en')} entries`, () => {
  it('counts, purges and clears at once, in little memory', async (t) => {
    const directory = await temporaryDirectory(t);
    const server = await ServerProcess.start(t, directory, '--workers', '2');
    const loadStartedAt = performance.now();
    await writePipelined({
      port: server.port,
      entries: ENTRIES,
      connections: 8,
      key: keyOf,
      body: bodyOf,
    });
    const loadSeconds = (performance.now() - loadStartedAt) / 1000;
    const memory = { loaded: anonymousBytes(server.pid) / MiB, after: 0 };
    const readers = Array.from({ length: READERS }, () => new Reader(server.url));
    const [first] = readers;
    assert.ok(first !== undefined);

    const counts: number[] = [];
    for (let round = 0; round < 50; round++) {
      const { text, tookMs } = await first.read('/stat/count');
      assert.equal(JSON.parse(text).count, ENTRIES);
      counts.push(tookMs);
    }
    const sample = (remainder: number): string[] =>
      Array.from({ length: 100 }, (_, nth) => {
        const entry = Math.floor((nth * (ENTRIES / 2)) / 100) * 2 + remainder;
        return `/pickle/${keyOf(entry)}`;
      });
    for (const path of [...sample(0), ...sample(1)]) {
      assert.equal((await first.read(path)).status, 200);
    }

    // The first use of fetch takes Node some 30 ms, which are none of the server's.
    await fetch(`${server.url}/healthz`);
    let deleted = 0;
    let deleteSeconds = 0;
    const purgeMs = await timeUntilGone(readers, sample(0), async () => {
      const startedAt = performance.now();
      const answer = await fetch(`${server.url}/prefix/even/`, { method: 'DELETE' });
      deleted = ((await answer.json()) as { deleted: number }).deleted;
      deleteSeconds = (performance.now() - startedAt) / 1000;
    });
    assert.equal(deleted, ENTRIES / 2);
    for (const path of sample(1)) assert.equal((await first.read(path)).status, 200);
    assert.equal(JSON.parse((await first.read('/stat/count')).text).count, ENTRIES / 2);

    const clearMs = await timeUntilGone(readers, sample(1), () =>
      fetch(`${server.url}/clear`, { method: 'POST' }),
    );
    assert.equal(JSON.parse((await first.read('/stat/count')).text).count, 0);
    memory.after = anonymousBytes(server.pid) / MiB;
    t.diagnostic(
      `${ENTRIES} entries loaded in ${loadSeconds.toFixed(1)} s; /stat/count median ` +
        `${median(counts).toFixed(2)} ms; prefix purge of half effective after ` +
        `${purgeMs.toFixed(1)} ms (answered after ${deleteSeconds.toFixed(1)} s); clear effective ` +
        `after ${clearMs.toFixed(1)} ms; RssAnon of the primary ${memory.loaded.toFixed(0)} MiB ` +
        `loaded, ${memory.after.toFixed(0)} MiB at the end`,
    );
    assert.ok(median(counts) < 5, `/stat/count took ${median(counts)} ms`);
    assert.ok(purgeMs < 50, `the purge took ${purgeMs} ms`);
    assert.ok(clearMs < 50, `the clear took ${clearMs} ms`);
    assert.ok(memory.loaded < 200 && memory.after < 200, 'the primary takes too much memory');
    for (const reader of readers) reader.close();
    assert.equal(await server.stop(), 0);
  });
});
