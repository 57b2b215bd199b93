/** Clients that take their answers slowly: how slow is too slow. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Kind } from '../../src/protocol/record.ts';
import { SlowReaders } from '../../src/workers/slow-readers.ts';
import { listening } from './app-fixture.ts';

const KiB = 1024;
const LIMITS = { sendStallMs: 60_000, sendBytesPerSecondMin: 8 * KiB, sendCheckMs: 5000 };

function reader(writableLength: number, bytesWritten: number) {
  const socket = { writableLength, bytesWritten, isCut: false, destroy: () => socket };
  socket.destroy = () => {
    socket.isCut = true;
    return socket;
  };
  return socket;
}

let cut = 0;
const onCut = (): void => {
  cut += 1;
};

describe('a client that takes its answer slowly', () => {
  it('is given the time that the write under way takes at the least rate, and the time of a stall', () => {
    let nowMs = 1000;
    const slow = reader(80 * KiB, 100 * KiB);
    const readers = new SlowReaders(new Set([slow] as never[]), LIMITS, onCut, () => nowMs);
    readers.check();
    nowMs += 70_000;
    readers.check();
    assert.ok(!slow.isCut);
    nowMs += 1;
    readers.check();
    assert.ok(slow.isCut);
    assert.equal(cut, 1);
  });

  it('is given it anew with each write that it has taken', () => {
    let nowMs = 0;
    const steady = reader(256 * KiB, 256 * KiB);
    const readers = new SlowReaders(new Set([steady] as never[]), LIMITS, onCut, () => nowMs);
    for (let piece = 0; piece < 100; piece++) {
      readers.check();
      nowMs += 90_000;
      readers.check();
      steady.bytesWritten += 256 * KiB;
    }
    assert.ok(!steady.isCut);
  });

  it('is forgotten once all is taken, however long the connection is then idle', () => {
    let nowMs = 0;
    const idle = reader(KiB, KiB);
    const readers = new SlowReaders(new Set([idle] as never[]), LIMITS, onCut, () => nowMs);
    readers.check();
    idle.writableLength = 0;
    nowMs += 3_600_000;
    readers.check();
    idle.writableLength = KiB;
    idle.bytesWritten = KiB;
    readers.check();
    assert.ok(!idle.isCut);
  });

  it('is cut although it takes a little now and then, which is all that Node asks for', async (t) => {
    const limits = { sendStallMs: 2500, sendBytesPerSecondMin: 1e9, sendCheckMs: 50 };
    const server = await listening(t, { limits });
    const raw = { kind: Kind.raw, expiresAtMs: 0, contentType: null, expire: null, duration: null };
    await server.store.put('long', raw, Buffer.alloc(16_000_000, 'x'));
    const asked = JSON.stringify({ items: [{ op: 'get', key: 'long' }] });
    const head = 'POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const socket = server.connect();
    socket.on('error', () => undefined);
    // Some megabytes in the time in which all must be taken, so that the kernel passes on that it reads.
    socket.on('readable', () => undefined);
    socket.write(`${head}Content-Length: ${asked.length}\r\n\r\n${asked}`);
    const count = promisify(server.app.server.getConnections.bind(server.app.server));
    await new Promise((resolve) => socket.once('connect', resolve));
    let open = 1;
    for (let nth = 0; nth < 50 && open > 0; nth++) {
      await sleep(100);
      for (let pieces = 0; pieces < 3; pieces++) socket.read();
      open = await count();
    }
    assert.equal(open, 0);
    assert.equal(server.traffic.counts.connectionsCut, 1);
  });
});
