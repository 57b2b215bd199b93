/** Metrics of the built server: sums over workers, whoever answers, that never fall. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import {
  growing,
  type ParsedFamily,
  parseExposition,
  seriesValue,
} from '../workers/metrics/exposition-parser.ts';
import { isAlive, ServerProcess } from './server-process.ts';

const KEY_ROUTE = { route: '/v1/entries/{key}', method: 'GET' };

/** On a connection of its own, so that the answers come from several workers. */
async function ask(url: string, init: RequestInit = {}): Promise<string> {
  const answer = await fetch(url, { ...init, headers: { connection: 'close' } });
  return await answer.text();
}

async function metricsOf({ url }: ServerProcess): Promise<Map<string, ParsedFamily>> {
  return parseExposition(await ask(`${url}/metrics`));
}

const answered = (families: ReadonlyMap<string, ParsedFamily>, status: string): number =>
  seriesValue(families, 'bigcache_http_requests_total', { ...KEY_ROUTE, status });

function assertGrown(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): void {
  assert.deepEqual([...after.keys()], [...before.keys()]);
  for (const [series, value] of before) {
    assert.ok((after.get(series) ?? -1) >= value, `${series}: ${value} -> ${after.get(series)}`);
  }
}

describe('the metrics of a server', () => {
  it('are sums over all workers, whichever answers, and the JSON has the same', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '3');
    await ask(`${server.url}/v1/entries/a`, { method: 'PUT', body: 'x'.repeat(1000) });
    for (let nth = 0; nth < 30; nth++) await ask(`${server.url}/v1/entries/a`);
    for (let nth = 0; nth < 12; nth++) await ask(`${server.url}/v1/entries/none`);
    for (let round = 0; round < 6; round++) {
      const families = await metricsOf(server);
      assert.deepEqual([answered(families, '200'), answered(families, '404')], [30, 12]);
      assert.equal(seriesValue(families, 'bigcache_reads_total', { result: 'hit' }), 30);
      assert.equal(seriesValue(families, 'bigcache_entries'), 1);
      assert.equal(seriesValue(families, 'bigcache_workers_ready'), 3);
      assert.ok(seriesValue(families, 'bigcache_http_sent_bytes_total') > 30_000);
      assert.ok(seriesValue(families, 'bigcache_http_connections_total') >= 43 + round);
      const asked = seriesValue(families, 'bigcache_channel_requests_total');
      const held = seriesValue(families, 'bigcache_held_hits_total');
      assert.ok(held > 0 && held <= 30 && asked + held >= 43, `${asked} asked, ${held} held`);
      for (const process of ['primary', 'worker-1', 'worker-2', 'worker-3']) {
        const labels = { process, kind: 'anonymous' };
        assert.ok(seriesValue(families, 'bigcache_memory_bytes', labels) > 1e7, process);
      }
      const stats = JSON.parse(await ask(`${server.url}/v1/stats`));
      assert.equal(stats.requests['/v1/entries/{key}'].GET['200'], 30);
      assert.equal(stats.reads.hit, 30);
    }
    assert.equal(await server.stop(), 0);
  });

  it('never fall: not when workers are killed, nor when the store is closed', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    await ask(`${server.url}/v1/entries/a`, { method: 'PUT', body: 'x' });
    for (let nth = 0; nth < 20; nth++) await ask(`${server.url}/v1/entries/a`);
    let before = growing(await metricsOf(server));
    for (let death = 1; death <= 2; death++) {
      const [victim] = server.workerPids;
      assert.ok(victim !== undefined);
      process.kill(victim, 'SIGKILL');
      await eventually(() => !isAlive(victim));
      // While one is missing and while it is replaced, over and over.
      await eventually(async () => {
        const families = await metricsOf(server);
        const now = growing(families);
        assertGrown(before, now);
        before = now;
        return seriesValue(families, 'bigcache_workers_ready') === 2;
      }, 15_000);
      const families = await metricsOf(server);
      assert.equal(seriesValue(families, 'bigcache_worker_deaths_total'), death);
      assert.equal(answered(families, '200'), 20);
    }
    await ask(`${server.url}/close`, { method: 'POST' });
    const closed = await metricsOf(server);
    assertGrown(before, growing(closed));
    assert.equal(seriesValue(closed, 'bigcache_store_open'), 0);
    assert.equal(seriesValue(closed, 'bigcache_entries'), 1);
    await ask(`${server.url}/open`, { method: 'POST' });
    const opened = await metricsOf(server);
    assertGrown(growing(closed), growing(opened));
    assert.equal(seriesValue(opened, 'bigcache_store_writable'), 1);
    assert.equal(await server.stop(), 0);
  });
});
