/** Clients that take or send much at once, or nothing at all: others are served, memory stays bounded. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { MemoryPeaks } from '../memory-peaks.ts';
import { descriptorCount, ServerProcess } from '../server-process.ts';
import { WritesBeside } from './writes-beside.ts';

const MiB = 1024 * 1024;
const LARGE_BYTES = 16 * MiB;
const ALONE = { connection: 'close' };

const bodyOf = (nth: number): Buffer => Buffer.alloc(LARGE_BYTES, `page ${nth} `);

/** A socket that is destroyed with the test, whatever becomes of it. */
async function opened(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function start(t: TestContext): Promise<{ server: ServerProcess; peaks: MemoryPeaks }> {
  const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
  const peaks = new MemoryPeaks();
  t.after(() => peaks.stop());
  peaks.watch(server);
  return { server, peaks };
}

/** The status of the answer; `cut` where the rest of a body that is refused could not be sent any more. */
function upload(port: number, key: string, body: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const sent = request({ port, path: `/pickle/${key}`, method: 'POST', agent: false });
    sent.on('response', (answer) => {
      const isToComeAgain = answer.headers['retry-after'] !== undefined;
      answer.resume().on('error', () => undefined);
      resolve(`${answer.statusCode}${isToComeAgain ? ', come again' : ''}`);
    });
    sent.on('error', () => resolve('cut'));
    sent.end(body);
  });
}

const inMiB = (bytes: number): string => `${(bytes / MiB).toFixed(0)} MiB`;

describe('a server with clients that ask for much', () => {
  it('holds little for 100 readers that never read their 16 MiB', async (t) => {
    const { server, peaks } = await start(t);
    // Nothing that could be compressed: then 16 MiB are read for each, and a descriptor held.
    const large = randomBytes(LARGE_BYTES);
    const stored = await fetch(`${server.url}/pickle/large`, { method: 'POST', body: large });
    assert.equal(stored.status, 200);
    const before = server.workerPids.map(descriptorCount);
    const readers: Socket[] = [];
    for (let nth = 0; nth < 100; nth++) {
      const reader = await opened(t, server.port);
      reader.pause();
      reader.write('GET /pickle/large HTTP/1.1\r\nHost: localhost\r\n\r\n');
      readers.push(reader);
    }
    const writes = new WritesBeside(server.url);
    await sleep(4000);
    await writes.stop();
    assert.deepEqual(await writes.lost(), []);
    t.diagnostic(
      `a worker held at most ${inMiB(peaks.workerBytes)}; ${writes.acknowledged} writes acknowledged, 0 lost`,
    );
    assert.ok(writes.acknowledged > 20);
    assert.ok(peaks.workerBytes < 300 * MiB, `a worker held ${inMiB(peaks.workerBytes)}`);
    for (const reader of readers) reader.destroy();
    await eventually(() => {
      const now = server.workerPids.map(descriptorCount);
      return now.every((count, nth) => count <= (before[nth] ?? 0) + 10);
    }, 10_000);
    assert.equal(await server.stop(), 0);
  });

  it('takes 200 uploads of 16 MiB at once, or says when to come again', async (t) => {
    const { server, peaks } = await start(t);
    const outcomes = new Map<string, number>();
    const kept: number[] = [];
    const uploads = Array.from({ length: 200 }, async (_, nth) => {
      const outcome = await upload(server.port, `upload-${nth}`, bodyOf(nth));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome === '200') kept.push(nth);
    });
    await Promise.all(uploads);
    t.diagnostic(
      `${[...outcomes].map(([outcome, count]) => `${count} times ${outcome}`).join(', ')}; a worker ` +
        `held at most ${inMiB(peaks.workerBytes)}`,
    );
    assert.deepEqual(
      [...outcomes.keys()].filter(
        (outcome) => !['200', '503, come again', 'cut'].includes(outcome),
      ),
      [],
    );
    assert.ok(kept.length > 0);
    for (const nth of kept) {
      const answer = await fetch(`${server.url}/pickle/upload-${nth}`, { headers: ALONE });
      assert.ok(bodyOf(nth).equals(Buffer.from(await answer.arrayBuffer())), `upload ${nth}`);
    }
    assert.ok(peaks.workerBytes < 350 * MiB, `a worker held ${inMiB(peaks.workerBytes)}`);
    assert.equal(await server.stop(), 0);
  });

  it('serves as many of 500 sockets as a limit of 120 descriptors allows, and keeps what it took', async (t) => {
    const args = ['--db-path', await temporaryDirectory(t), '--port', '0', '--workers', '2'];
    const limited = ['bash', '-c', 'ulimit -n 120; exec "$@"', 'limited'];
    const server = ServerProcess.spawn(t, args, {}, limited);
    await server.listening();
    const workers = server.workerPids;
    const kept: number[] = [];
    const writers = Array.from({ length: 500 }, async (_, nth) => {
      const writer = await opened(t, server.port);
      writer.write(
        `POST /pickle/writer-${nth} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nstored`,
      );
      writer.once('data', (head) => {
        if (head.toString('latin1', 9, 12) === '200') kept.push(nth);
      });
      return writer;
    });
    const sockets = await Promise.all(writers);
    await sleep(3000);
    for (const socket of sockets) socket.destroy();
    await eventually(async () => {
      const ready = await fetch(`${server.url}/readyz`, { headers: ALONE }).catch(() => undefined);
      return ready?.status === 200;
    });
    for (const nth of kept) {
      const answer = await fetch(`${server.url}/pickle/writer-${nth}`, { headers: ALONE });
      assert.equal(await answer.text(), 'stored');
    }
    t.diagnostic(`${kept.length} of 500 were served, and what they stored was kept`);
    assert.ok(kept.length >= 50, `${kept.length} were served`);
    assert.deepEqual(server.workerPids, workers, 'no worker died of it');
    assert.equal(await server.stop(), 0);
  });
});
