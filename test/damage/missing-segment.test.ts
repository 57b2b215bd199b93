/** A store of which a segment file is gone: its entries are misses, all others are read. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Kind } from '../../src/protocol/record.ts';
import { segmentFileName } from '../../src/segments/format.ts';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { TestServer } from '../workers/store/segment-store-setup.ts';

const meta = { kind: Kind.raw, expiresAtMs: 0, contentType: null, expire: null, duration: null };

describe('a segment file that is missing', () => {
  it('costs its entries and nothing else, and is forgotten when they are', async (t) => {
    const path = await temporaryDirectory(t);
    for (const run of ['first', 'second']) {
      const server = await TestServer.start(path);
      const { store } = server.addWorker();
      for (let nth = 0; nth < 20; nth++) await store.put(`${run} ${nth}`, meta, Buffer.from(run));
      await server.stop();
    }
    await rm(join(path, 'segments', segmentFileName(1)));
    const server = await TestServer.start(path);
    t.after(() => server.stop());
    const { store, damaged } = server.addWorker();
    for (let nth = 0; nth < 20; nth++) {
      const miss = await store.get(`first ${nth}`);
      // Removed by the primary meanwhile, it is not known any more.
      assert.ok(!miss.found && ['evicted', 'never-seen'].includes(miss.reason));
      const hit = await store.get(`second ${nth}`);
      assert.ok(hit.found && hit.content.whole?.toString() === 'second');
      hit.content.release();
    }
    assert.deepEqual(damaged, [], 'nobody has to come across them');
    await eventually(() => server.storage.entries.count === 20, 10_000);
    assert.equal(server.storage.entries.evicted, 20);
    await eventually(() => !server.storage.entries.segments.has(1), 10_000);
  });
});
