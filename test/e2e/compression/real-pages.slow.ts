/**
 * What compression is for, on real input: the HTML pages of Debian's postgresql-doc-15 take at most 0.30
 * of their size on the disk, and a hit by a client that accepts gzip costs no more CPU than the same hit of a
 * server that stores them as they are, in the same run. BIGCACHE_CORPUS names another directory.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { median } from '../../../bench/median.ts';
import { figuresOf } from '../../../bench/process-figures.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { ServerProcess } from '../server-process.ts';
import { allocatedBytes } from '../tree-bytes.ts';
import { PageClient } from './page-client.ts';

const CORPUS = process.env['BIGCACHE_CORPUS'] ?? '/usr/share/doc/postgresql-doc-15/html';
const PAGES_MIN = 1000;
const PART_MAX = 0.3;
/** Rounds go back and forth between the servers, so that what else the machine does hits both. */
const ROUNDS = 8;
/** The kernel counts CPU in steps of 10 ms, so a round reads all pages several times. */
const PASSES = 2;
const FACES = ['/v1/entries', '/cache'] as const;
/**
 * The promise is 1, and the figure is printed; a shared machine is off by as much as 0.15. JSON has a frame, which is
 * spliced around what is stored for each answer, and costs a little more since bodies stay in memory either way
 * (docs/decisions/hot-bodies.md).
 */
const CPU_PART_MAX: Readonly<Record<(typeof FACES)[number], number>> = {
  '/v1/entries': 1.15,
  '/cache': 1.3,
};

interface Page {
  readonly name: string;
  readonly body: Buffer;
}

function findPages(): Page[] {
  const names = readdirSync(CORPUS, { recursive: true, encoding: 'utf8' });
  const pages = names
    .filter((name) => name.endsWith('.html'))
    .map((name) => ({ name, body: readFileSync(join(CORPUS, name)) }));
  assert.ok(pages.length >= PAGES_MIN, `${CORPUS} holds ${pages.length} pages, too few`);
  return pages;
}

/** CPU of all processes of a server, in microseconds. */
function cpuUsOf(server: ServerProcess): number {
  return [server.pid, ...server.workerPids].reduce((sum, pid) => sum + figuresOf(pid).cpuUs, 0);
}

function diskBytesOf(directory: string): number {
  return allocatedBytes(join(directory, 'segments')) + allocatedBytes(join(directory, 'index'));
}

interface Subject {
  readonly server: ServerProcess;
  readonly client: PageClient;
  readonly directory: string;
  /** CPU of a hit by each face, one figure a round. */
  readonly cpuUs: ReadonlyMap<string, number[]>;
}

describe('a site of real pages', () => {
  async function start(t: TestContext, compression: 'on' | 'off'): Promise<Subject> {
    const directory = await temporaryDirectory(t);
    const args = ['--workers', '1', '--compression', compression];
    const server = await ServerProcess.start(t, directory, ...args);
    const client = new PageClient(server.url);
    t.after(async () => client.close());
    const cpuUs = new Map<string, number[]>(FACES.map((face) => [face, []]));
    return { server, client, directory, cpuUs };
  }

  it('takes at most 0.30 of its size on the disk', async (t) => {
    const pages = findPages();
    const plainBytes = pages.reduce((sum, { body }) => sum + body.length, 0);
    const { server, client, directory } = await start(t, 'on');
    await client.all(pages, ({ name, body }) => client.put(`/v1/entries/${name}`, body));
    for (const { name, body } of pages.slice(0, 50)) {
      const { bytes, encoding } = await client.get(`/v1/entries/${name}`, 'gzip');
      assert.ok((encoding === 'gzip' ? gunzipSync(bytes) : bytes).equals(body), name);
    }
    assert.equal(await server.stop(), 0);
    const part = diskBytesOf(directory) / plainBytes;
    t.diagnostic(
      `${pages.length} pages of ${plainBytes} bytes: ${part.toFixed(4)} of that on the disk, ` +
        `segments ${(allocatedBytes(join(directory, 'segments')) / plainBytes).toFixed(4)}`,
    );
    assert.ok(part <= PART_MAX, `${part} of the plain size on the disk`);
  });

  it('costs less CPU a hit by a client that accepts gzip than without compression', async (t) => {
    const pages = findPages();
    const subjects = [await start(t, 'on'), await start(t, 'off')];
    for (const { client } of subjects) {
      await client.all(pages, async ({ name, body }) => {
        await client.put(`/v1/entries/${name}`, body);
        await client.post(
          `/cache/json/${name}`,
          JSON.stringify({ value: body.toString('latin1') }),
        );
      });
    }
    // The first round is not counted: code is compiled, and the bodies become warm.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const { server, client, cpuUs } of round % 2 === 0 ? subjects : subjects.toReversed()) {
        for (const face of FACES) {
          const mount = face === '/cache' ? '/cache/json' : face;
          const before = cpuUsOf(server);
          for (let pass = 0; pass < PASSES; pass++) {
            await client.all(pages, async ({ name }) => {
              await client.get(`${mount}/${name}`, 'gzip');
            });
          }
          const spentUs = (cpuUsOf(server) - before) / (PASSES * pages.length);
          if (round > 0) cpuUs.get(face)?.push(spentUs);
        }
      }
    }
    for (const face of FACES) {
      const [on = [], off = []] = subjects.map(({ cpuUs }) => cpuUs.get(face));
      const part = median(on.map((onUs, round) => onUs / (off[round] ?? 0)));
      t.diagnostic(
        `${face}: ${median(on).toFixed(1)} us a hit compressed, ${median(off).toFixed(1)} us plain, ` +
          `${part.toFixed(2)} of it in the median of ${ROUNDS} rounds`,
      );
      assert.ok(part < CPU_PART_MAX[face], `${face}: ${part} of the CPU without compression`);
    }
  });
});
