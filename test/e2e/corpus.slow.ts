/**
 * The main job on real input: the HTML pages of Debian's postgresql-doc-15, stored through the
 * original's face by several processes over 4 workers, and read back equal after a kill -9 of the
 * primary. The stage that runs this installs the pages; BIGCACHE_CORPUS names another directory.
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../temporary-directory.ts';
import { ServerProcess } from './server-process.ts';

const CORPUS = process.env['BIGCACHE_CORPUS'] ?? '/usr/share/doc/postgresql-doc-15/html';
const CLIENT_PROCESSES = 4;
const PAGES_MIN = 1000;

/** What a client process does with its share of the pages. */
export interface CorpusTask {
  readonly task: 'store' | 'verify';
  readonly url: string;
  readonly pages: readonly string[];
}

function findPages(): string[] {
  const pages = readdirSync(CORPUS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.html'))
    .map((name) => join(CORPUS, name))
    .sort();
  assert.ok(pages.length >= PAGES_MIN, `${CORPUS} holds ${pages.length} pages, too few`);
  return pages;
}

/** Runs one task over all pages in several processes; resolves with the bytes they handled. */
async function inProcesses(
  task: CorpusTask['task'],
  url: string,
  pages: string[],
): Promise<number> {
  const shares = Array.from({ length: CLIENT_PROCESSES }, (_, nth) =>
    pages.filter((_page, at) => at % CLIENT_PROCESSES === nth),
  );
  const results = await Promise.all(
    shares.map(async (share) => {
      const client = fork(new URL('./corpus-client.ts', import.meta.url));
      client.send({ task, url, pages: share } satisfies CorpusTask);
      const [result] = (await once(client, 'message')) as [{ bytes: number; error?: string }];
      await once(client, 'exit');
      assert.equal(result.error, undefined);
      return result.bytes;
    }),
  );
  return results.reduce((sum, bytes) => sum + bytes, 0);
}

describe('a site of real pages', () => {
  it('is stored by several processes, and read back equal after a kill -9 and a restart', async (t) => {
    const directory = await temporaryDirectory(t);
    const pages = findPages();
    let server = await ServerProcess.start(t, directory, '--workers', '4');
    const startedAt = performance.now();
    const stored = await inProcesses('store', server.url, pages);
    const seconds = (performance.now() - startedAt) / 1000;
    assert.equal(await inProcesses('verify', server.url, pages), stored);
    await server.kill();
    server = await ServerProcess.start(t, directory, '--workers', '4');
    assert.equal(await inProcesses('verify', server.url, pages), stored);
    const { count } = (await (await fetch(`${server.url}/stat/count`)).json()) as { count: number };
    assert.equal(count, pages.length);
    const { stats } = (await (await fetch(`${server.url}/stat`)).json()) as {
      stats: { hit: number; miss: number };
    };
    assert.deepEqual([stats.hit, stats.miss], [pages.length, 0]);
    t.diagnostic(
      `${pages.length} pages, ${(stored / 2 ** 20).toFixed(1)} MiB, stored in ` +
        `${seconds.toFixed(1)} s by ${CLIENT_PROCESSES} processes; all equal before and after ` +
        'kill -9 of the primary',
    );
    assert.equal(await server.stop(), 0);
  });
});
