/** Descriptors that a worker may have are shared out between connections and segments. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  boundConnections,
  descriptorLimit,
  descriptorRoom,
} from '../../src/workers/descriptor-room.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const OWN_DESCRIPTORS = 40;

describe('the room of descriptors', () => {
  it('leaves enough for segments and for the worker itself, whatever the limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 2_000_000 }), (limit) => {
        const { segmentsMax, connectionsMax = 0 } = descriptorRoom(limit);
        assert.ok(segmentsMax >= 24 && segmentsMax <= 256);
        assert.equal(segmentsMax + connectionsMax + OWN_DESCRIPTORS, limit);
        assert.ok(connectionsMax >= Math.min(limit / 2, limit - 64));
      }),
    );
  });

  it('is not bounded where no limit is known', () => {
    assert.deepEqual(descriptorRoom(undefined), { segmentsMax: 256, connectionsMax: undefined });
  });

  it('is read from what the system says of the process', async (t) => {
    const path = join(await temporaryDirectory(t), 'limits');
    const head = 'Limit                     Soft Limit           Hard Limit           Units     \n';
    await writeFile(
      path,
      `${head}Max open files            120                  4096      files     \n`,
    );
    assert.equal(descriptorLimit(path), 120);
    await writeFile(
      path,
      `${head}Max open files            unlimited            unlimited files     \n`,
    );
    assert.equal(descriptorLimit(path), undefined);
    assert.equal(descriptorLimit(`${path}-of-another-system`), undefined);
  });
});

/** Connects to `server`; resolves with whether it was closed at once. */
async function isClosed(server: Server, keep: (end: () => void) => void): Promise<boolean> {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  keep(() => socket.destroy());
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => true);
  return await Promise.race([closed, once(socket, 'data').then(() => false)]);
}

describe('connections beyond the room', () => {
  it('are closed as they come, which is said once in a while', async (t) => {
    const lines: unknown[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('!');
    });
    const counts = { connectionsRefused: 0 };
    boundConnections(server, { segmentsMax: 24, connectionsMax: 2 }, counts, {
      warn: (...line: unknown[]) => lines.push(line[0]),
    } as never);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const ends: (() => void)[] = [];
    t.after(() => {
      for (const end of ends) end();
      server.close();
    });
    const closed: boolean[] = [];
    for (let nth = 0; nth < 4; nth++) closed.push(await isClosed(server, (end) => ends.push(end)));
    assert.deepEqual(closed, [false, false, true, true]);
    assert.deepEqual(lines, [{ connectionsMax: 2, closed: 1 }]);
    assert.equal(counts.connectionsRefused, 2);
  });
});
