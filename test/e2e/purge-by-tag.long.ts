/**
 * A purge by tag of 1,000,000 matching entries: how long until every worker answers that they are gone, and
 * until it is worked off. BIGCACHE_TEST_ENTRIES sets another number.
 */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../temporary-directory.ts';
import { writePipelined } from './pipelined-writer.ts';
import { ServerProcess } from './server-process.ts';

const ENTRIES = Number(process.env['BIGCACHE_TEST_ENTRIES'] ?? 1_000_000);
const WORKERS = 4;
/** Connections spread unevenly over workers; so many reach each of them. */
const CONNECTIONS = 64;
const ROUNDS = 5;
const EFFECTIVE_WITHIN_MS = 20;
const DONE_WITHIN_MS = 30 * 60_000;
const TAGS = Array.from({ length: ROUNDS }, (_, nth) => `round-${nth}`);

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cacheStatus: string;
}

/** One connection of its own, kept open. */
class Client {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string) {
    this.#url = url;
  }

  ask(method: string, path: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = request(this.#url + path, { method, headers, agent: this.#agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        const cacheStatus = String(answer.headers['cache-status']);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: text, cacheStatus }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

describe(`a purge by tag of ${ENTRIES.toLocaleString('en')} entries`, () => {
  it('is in effect for every worker at once', async (t) => {
    const directory = await temporaryDirectory(t);
    const server = await ServerProcess.start(t, directory, '--workers', String(WORKERS));
    const key = (nth: number): string => `page/${nth}`;
    // The first purge takes all of them; those that follow are judged beside it.
    await writePipelined({
      port: server.port,
      entries: ENTRIES,
      connections: 8,
      key,
      body: (nth) => `<html>${nth}</html>`,
      headers: (nth) => `Cache-Tag: everywhere, ${TAGS[nth % ROUNDS]}\r\n`,
      isNative: true,
    });
    const clients = Array.from({ length: CONNECTIONS }, () => new Client(server.url));
    t.after(async () => {
      for (const client of clients) client.close();
    });
    for (const client of clients) {
      assert.equal((await client.ask('GET', `/v1/entries/${key(0)}`)).status, 200);
    }
    const [purger, ...readers] = clients as [Client, ...Client[]];
    const tookMs: number[] = [];
    const acknowledgedMs: number[] = [];
    const ids: string[] = [];
    for (const [round, tag] of ['everywhere', ...TAGS].entries()) {
      const path = `/v1/entries/${key(round % ROUNDS)}`;
      const startedAt = performance.now();
      const answer = await purger.ask('POST', '/v1/purge', JSON.stringify({ tag }));
      assert.equal(answer.status, 202, answer.body);
      acknowledgedMs.push(performance.now() - startedAt);
      const seen = await Promise.all(readers.map((reader) => reader.ask('GET', path)));
      tookMs.push(performance.now() - startedAt);
      for (const { status, cacheStatus } of seen) {
        assert.equal(status, 404);
        // What went is remembered in a bounded place: among so many it may be forgotten at once.
        assert.match(cacheStatus, /^BigCache; detail=(purged|never-seen)$/);
      }
      ids.push((JSON.parse(answer.body) as { id: string }).id);
    }
    const startedAt = performance.now();
    let report = { state: 'running', matched: 0 };
    while (report.state !== 'done' && performance.now() - startedAt < DONE_WITHIN_MS) {
      await sleep(100);
      report = JSON.parse((await purger.ask('GET', `/v1/purges/${ids[0]}`)).body) as typeof report;
    }
    const doneSeconds = (performance.now() - startedAt) / 1000;
    assert.deepEqual(report.state, 'done');
    assert.equal(report.matched, ENTRIES);
    const count = JSON.parse((await purger.ask('GET', '/stat/count')).body) as { count: number };
    assert.equal(count.count, 0);
    const list = (times: readonly number[]): string => times.map((ms) => ms.toFixed(1)).join(', ');
    t.diagnostic(
      `acknowledged after ${list(acknowledgedMs)} ms, seen by ${readers.length} connections to ` +
        `${WORKERS} workers after ${list(tookMs)} ms; worked off within ${doneSeconds.toFixed(1)} s`,
    );
    const medianMs = acknowledgedMs.toSorted((one, other) => one - other)[ROUNDS >> 1] ?? 0;
    assert.ok(medianMs < EFFECTIVE_WITHIN_MS, `it took ${medianMs} ms`);
    assert.equal(await server.stop(), 0);
  });
});
