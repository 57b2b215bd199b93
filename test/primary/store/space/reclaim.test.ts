/** Giving space back under a store that is being used: what goes, what stays, and that it stays whole. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { StoreSettings } from '../../../../src/primary/store/open-store.ts';
import { type EntryMeta, Kind, type Pointer } from '../../../../src/protocol/record.ts';
import { segmentFileName } from '../../../../src/segments/format.ts';
import type { Store } from '../../../../src/workers/store/store.ts';
import { eventually } from '../../../eventually.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { TestServer, type TestWorker } from '../../../workers/store/segment-store-setup.ts';

const MiB = 1024 * 1024;
const KiB = 1024;
const RAW: EntryMeta = {
  kind: Kind.raw,
  expiresAtMs: 0,
  contentType: null,
  expire: null,
  duration: null,
};

/** Bytes that follow from their key and a number, and do not compress. */
function bodyFor(key: string, write: number, bytes: number): Buffer {
  const seed = createHash('sha256').update(`${key} ${write}`).digest();
  const stream = createCipheriv('aes-128-ctr', seed.subarray(0, 16), seed.subarray(16));
  return stream.update(Buffer.alloc(bytes));
}

async function read(store: Store, key: string): Promise<Buffer | undefined> {
  const found = await store.get(key);
  if (!found.found) return undefined;
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of found.content.chunks()) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  } finally {
    found.content.release();
  }
}

async function started(
  test: Parameters<typeof temporaryDirectory>[0],
  settings: Partial<StoreSettings>,
  now: () => number = Date.now,
): Promise<{ server: TestServer; worker: TestWorker; store: Store }> {
  // The server stops before its directory goes.
  const cleanUps: (() => Promise<void>)[] = [];
  const after = (cleanUp: () => Promise<void>): void => void cleanUps.unshift(cleanUp);
  test.after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });
  const server = await TestServer.start(
    await temporaryDirectory({ after }),
    now,
    4 * MiB,
    settings,
  );
  after(() => server.stop());
  const worker = server.addWorker();
  return { server, worker, store: worker.store };
}

async function bytesBelow(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path, { recursive: true })) {
    const found = await stat(join(path, name)).catch(() => undefined);
    if (found?.isFile() === true) bytes += found.blocks * 512;
  }
  return bytes;
}

/** How many of so many pages are there; each that is must have the bytes it was stored with. */
async function hitsOf(store: Store, pages: number): Promise<number> {
  let hits = 0;
  for (let nth = 0; nth < pages; nth++) {
    const body = await read(store, `page/${nth}`);
    if (body === undefined) continue;
    hits += 1;
    assert.deepEqual(body, bodyFor(`page/${nth}`, 0, 64 * KiB));
  }
  return hits;
}

const QUOTA: Partial<StoreSettings> = { storeBytesMax: 48 * MiB, workers: 1 };
const segmentCount = async (server: TestServer): Promise<number> =>
  (await readdir(server.directory.segmentsPath)).length;

describe('a store with a limit', () => {
  it('stays within it by evicting the oldest entries, and keeps those that are read', async (t) => {
    const { server, store } = await started(t, QUOTA);
    const entries = 1500;
    let largest = 0;
    for (let nth = 0; nth < entries; nth++) {
      await store.put(`page/${nth}`, RAW, bodyFor(`page/${nth}`, 0, 64 * KiB));
      if (nth >= 20 && nth % 20 === 0) {
        for (let hot = 0; hot < 20; hot++) {
          assert.ok((await read(store, `page/${hot}`)) !== undefined, `page/${hot} at ${nth}`);
        }
        largest = Math.max(largest, await bytesBelow(server.directory.path));
      }
    }
    assert.ok(largest <= 1.1 * 48 * MiB, `the directory had ${largest / MiB} MiB`);
    // What is being evicted while it is read counts on neither side for sure: then all is read again.
    let hits = 0;
    await eventually(async () => {
      const before = await store.count();
      hits = await hitsOf(store, entries);
      const after = await store.count();
      if (after !== before) return false;
      assert.equal(after, hits);
      assert.equal(server.storage.entries.evicted, entries - hits);
      return true;
    }, 20_000);
    assert.ok(hits > 300, `${hits} entries are left`);
  });

  it('evicts bodies that stand alone, and spares without a copy one that was read', async (t) => {
    const { server, store } = await started(t, QUOTA);
    const body = (nth: number): Buffer => bodyFor(`large/${nth}`, 0, 3 * MiB);
    for (let nth = 0; nth < 40; nth++) {
      await store.put(`large/${nth}`, RAW, body(nth));
      assert.deepEqual(await read(store, 'large/0'), body(0));
    }
    assert.equal(await read(store, 'large/1'), undefined);
    assert.ok(server.storage.entries.evicted > 20);
  });

  it('keeps what is read also behind a damaged header, and evicts the rest there', async (t) => {
    const { server, store } = await started(t, QUOTA);
    const body = (nth: number): Buffer => bodyFor(`page/${nth}`, 0, 64 * KiB);
    const hot = [10, 20, 30];
    for (let nth = 0; nth < 50; nth++) await store.put(`page/${nth}`, RAW, body(nth));
    const damaged = await store.find('page/3');
    assert.ok('pointer' in damaged);
    const { segment, offset } = damaged.pointer;
    const file = await open(join(server.directory.segmentsPath, segmentFileName(segment)), 'r+');
    await file.write(Buffer.from([0x7f]), 0, 1, offset - 48 - 'page/3'.length + 18);
    await file.close();
    const { segments } = server.storage.entries;
    for (let nth = 50; nth < 2000 && segments.has(segment); nth++) {
      for (const at of nth % 20 === 0 ? hot : []) {
        assert.deepEqual(await read(store, `page/${at}`), body(at), `page/${at} at ${nth}`);
      }
      await store.put(`page/${nth}`, RAW, body(nth));
    }
    assert.ok(!segments.has(segment));
    for (const at of hot) assert.deepEqual(await read(store, `page/${at}`), body(at));
    assert.equal(await read(store, 'page/40'), undefined);
    assert.ok(server.storage.entries.evicted >= 40);
  });

  it('refuses what would not fit if all else were gone, at once', async (t) => {
    const { server } = await started(t, QUOTA);
    await assert.rejects(server.storage.grantSegment(1, 64 * MiB), { code: 'DISK_FULL' });
  });
});

describe('a segment that holds much garbage', () => {
  it('is rewritten without anything lost, whatever is written meanwhile', async (t) => {
    const { server, store } = await started(t, {});
    const expected = new Map<string, Buffer>();
    const put = async (key: string, write: number): Promise<void> => {
      const body = bodyFor(key, write, 32 * KiB);
      await store.put(key, RAW, body);
      expected.set(key, body);
    };
    for (let nth = 0; nth < 500; nth++) await put(`k/${nth}`, 0);
    const versions = new Map<string, number>();
    for (let nth = 0; nth < 500; nth += 5) {
      const found = await store.find(`k/${nth}`);
      assert.ok('version' in found);
      versions.set(`k/${nth}`, found.version);
    }
    const first = server.storage.entries.segments.keys().next().value ?? 0;
    for (let nth = 0; nth < 500; nth++) {
      if (nth % 5 === 0) continue;
      if (nth % 2 === 0) await put(`k/${nth}`, 1);
      else if (await store.delete(`k/${nth}`)) expected.delete(`k/${nth}`);
    }
    await eventually(() => !server.storage.entries.segments.has(first), 20_000);
    for (let nth = 0; nth < 500; nth++) {
      const key = `k/${nth}`;
      assert.deepEqual(await read(store, key), expected.get(key), key);
    }
    for (const [key, version] of versions) {
      const found = await store.find(key);
      assert.ok('version' in found);
      assert.equal(found.version, version, 'a copy is no new version');
    }
    assert.equal(await store.count(), expected.size);
    assert.equal(server.storage.entries.evicted, 0);
  });

  it('is left alone as long as most of it is used', async (t) => {
    const { server, store } = await started(t, {});
    for (let nth = 0; nth < 300; nth++) {
      await store.put(`k/${nth}`, RAW, bodyFor(`k/${nth}`, 0, 32 * KiB));
    }
    for (let nth = 0; nth < 300; nth += 4) await store.delete(`k/${nth}`);
    const before = await segmentCount(server);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(await segmentCount(server), before);
  });

  it('loses the entry whose bytes are damaged, and no other', async (t) => {
    const { server, store } = await started(t, {});
    for (let nth = 0; nth < 150; nth++) {
      await store.put(`k/${nth}`, RAW, bodyFor(`k/${nth}`, 0, 32 * KiB));
    }
    const damaged = await store.find('k/0');
    assert.ok('pointer' in damaged);
    const { segment, offset } = damaged.pointer;
    const file = await open(join(server.directory.segmentsPath, segmentFileName(segment)), 'r+');
    await file.write(Buffer.from('damage'), 0, 6, offset + 1000);
    await file.close();
    const kept = [...Array(150).keys()].filter((nth) => nth % 4 === 0);
    for (let nth = 0; nth < 150; nth++) {
      if (!kept.includes(nth)) await store.delete(`k/${nth}`);
    }
    await eventually(() => !server.storage.entries.segments.has(segment), 20_000);
    for (const nth of kept) {
      const expected = nth === 0 ? undefined : bodyFor(`k/${nth}`, 0, 32 * KiB);
      assert.deepEqual(await read(store, `k/${nth}`), expected);
    }
  });

  it('keeps what lies behind damaged headers, since the records say where it is', async (t) => {
    const { server, store } = await started(t, {});
    for (let nth = 0; nth < 150; nth++) {
      await store.put(`k/${nth}`, RAW, bodyFor(`k/${nth}`, 0, 32 * KiB));
    }
    const pointerOf = async (key: string): Promise<Pointer> => {
      const found = await store.find(key);
      assert.ok('pointer' in found);
      return found.pointer;
    };
    const { segment, offset } = await pointerOf('k/4');
    const path = join(server.directory.segmentsPath, segmentFileName(segment));
    const file = await open(path, 'r+');
    // A length, so that the walk over the file ends there; a header behind that; and a body.
    await file.write(Buffer.from([0x7f]), 0, 1, offset - 48 - 'k/4'.length + 18);
    await file.write(Buffer.from('XX'), 0, 2, (await pointerOf('k/20')).offset - 48 - 4);
    await file.write(Buffer.from('damage'), 0, 6, (await pointerOf('k/12')).offset + 1000);
    await file.close();
    const kept = [...Array(150).keys()].filter((nth) => nth % 4 === 0);
    for (let nth = 0; nth < 150; nth++) if (nth % 4 !== 0) await store.delete(`k/${nth}`);
    await eventually(() => !server.storage.entries.segments.has(segment), 20_000);
    for (const nth of kept) {
      const expected = nth === 12 ? undefined : bodyFor(`k/${nth}`, 0, 32 * KiB);
      assert.deepEqual(await read(store, `k/${nth}`), expected, `k/${nth}`);
    }
    assert.equal(await store.count(), kept.length - 1);
    assert.equal(server.storage.entries.evicted, 0);
  });
});

describe('a segment whose file is missing', () => {
  it('has its entries counted as evicted, and is forgotten', async (t) => {
    const { server, store } = await started(t, {});
    await store.put('gone', RAW, bodyFor('gone', 0, KiB));
    await store.close();
    const [name] = await readdir(server.directory.segmentsPath);
    await unlink(join(server.directory.segmentsPath, name ?? ''));
    await store.open();
    await store.put('kept', RAW, bodyFor('kept', 0, KiB));
    assert.deepEqual(await store.get('gone'), { found: false, reason: 'evicted' });
    await eventually(() => server.storage.entries.evicted === 1);
    await eventually(() => server.storage.entries.segments.size === 1);
    assert.equal(await store.count(), 1);
    assert.deepEqual(await read(store, 'kept'), bodyFor('kept', 0, KiB));
  });
});
