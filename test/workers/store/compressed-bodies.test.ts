/** Bodies that are stored compressed, in real segments: damage, restarts, bombs, and who shares a read. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { EntryMeta } from '../../../src/protocol/record.ts';
import { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import type { Framing, Hit, Reading } from '../../../src/workers/store/store.ts';
import { eventually } from '../../eventually.ts';
import { flip } from '../../primary/commands/stopped-store-setup.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { pageOf } from './contract-compression.ts';
import { TestServer, type TestWorker } from './segment-store-setup.ts';
import { assertBytes, bytesOf, inPieces, missReason, RAW_META, read } from './store-subject.ts';

const MiB = 1024 * 1024;
const EMPTY = Buffer.alloc(0);
const HTML: EntryMeta = { ...RAW_META, contentType: 'text/html' };
const FRAME: Framing = { prologue: Buffer.from('<'), epilogue: Buffer.from('>') };
const FRAMED_FORMS: readonly Framing[] = [
  { prologue: EMPTY, epilogue: EMPTY, encoded: true },
  { prologue: EMPTY, epilogue: EMPTY, encoded: false },
  { ...FRAME, encoded: true },
  { ...FRAME, encoded: false },
];

async function hitOf({ store }: TestWorker, key: string, framing?: Framing): Promise<Hit> {
  const found = await store.get(key, framing === undefined ? {} : { frame: () => framing });
  assert.ok(found.found, key);
  return found;
}

/** Flips a byte of the stored body of `key`, `at` bytes from its begin. */
async function damage(worker: TestWorker, path: string, key: string, at: number): Promise<void> {
  const { record, content } = await hitOf(worker, key);
  content.release();
  const { segment, offset } = record.pointer;
  await flip(join(path, 'segments', segmentFileName(segment)), offset + at);
}

describe('bodies that are stored compressed', () => {
  it('are misses when they are damaged, in every form, and are dropped', async (t) => {
    const path = await temporaryDirectory(t);
    const server = await TestServer.start(path);
    const worker = server.addWorker(new BodyEncoder());
    const { store, slabs, damaged } = worker;
    for (const [nth, framing] of FRAMED_FORMS.entries()) {
      const key = `damaged/${nth}`;
      await store.put(key, HTML, pageOf(200_000));
      await damage(worker, path, key, 5000);
      const found = await store.get(key, { frame: () => framing });
      assert.ok(!found.found, key);
      assert.deepEqual(damaged.splice(0), [`body of ${key}`]);
      assert.equal(await missReason(store, key), 'never-seen');
    }
    assert.deepEqual([slabs.onLoan, slabs.loanBytes], [0, 0]);
    await server.stop();
  });

  it('count as what answers hold while they are shown plain, decoded here or in a thread', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const worker = server.addWorker(new BodyEncoder());
    for (const bytes of [50_000, 300_000]) {
      await worker.store.put(`page/${bytes}`, HTML, pageOf(bytes));
      const [, plain] = FRAMED_FORMS;
      const { content } = await hitOf(worker, `page/${bytes}`, plain);
      assert.equal(content.byteLength, pageOf(bytes).length);
      assert.deepEqual([worker.slabs.onLoan, worker.slabs.loanBytes], [0, content.byteLength]);
      content.release();
      content.release();
      assert.equal(worker.slabs.loanBytes, 0);
    }
    await server.stop();
  });

  it('are cut off where the damage of a long one begins, with nothing wrong before', async (t) => {
    const path = await temporaryDirectory(t);
    const server = await TestServer.start(path);
    const worker = server.addWorker(new BodyEncoder());
    const page = pageOf(3 * MiB);
    for (const framing of [FRAMED_FORMS[1] ?? FRAME, FRAME]) {
      await worker.store.put('long', HTML, inPieces(page, 200_000));
      const { record, content } = await hitOf(worker, 'long');
      content.release();
      assert.ok(record.storedBytes > MiB, `${record.storedBytes} bytes are streamed`);
      await damage(worker, path, 'long', record.storedBytes - 100_000);
      const hit = await hitOf(worker, 'long', framing);
      const whole = Buffer.concat([framing.prologue, page, framing.epilogue]);
      let at = 0;
      const reading = (async () => {
        for await (const piece of hit.content.chunks()) {
          assert.ok(piece.equals(whole.subarray(at, at + piece.length)), `at ${at}`);
          at += piece.length;
        }
      })();
      await assert.rejects(reading, /not as it was written/);
      assert.ok(at > 0 && at < page.length);
      hit.content.release();
      assert.deepEqual(worker.damaged.splice(0), ['body of long']);
      await eventually(async () => (await missReason(worker.store, 'long')) === 'never-seen');
    }
    assert.equal(worker.slabs.onLoan, 0);
    await server.stop();
  });

  it('are read after a restart, also by who compresses no more', async (t) => {
    const path = await temporaryDirectory(t);
    let server = await TestServer.start(path);
    await server.addWorker(new BodyEncoder()).store.put('kept', HTML, pageOf(30_000));
    await server.stop();
    server = await TestServer.start(path);
    const worker = server.addWorker();
    assertBytes(await read(worker.store, 'kept'), pageOf(30_000), 'plain');
    const encoded = await hitOf(worker, 'kept', { ...FRAME, encoded: true });
    assert.equal(encoded.record.contentEncoding, 'gzip');
    const whole = Buffer.concat([FRAME.prologue, pageOf(30_000), FRAME.epilogue]);
    assertBytes(gunzipSync(await bytesOf(encoded.content)), whole, 'encoded');
    await worker.store.put('kept', HTML, pageOf(30_000));
    assert.equal(((await worker.store.find('kept')) as Hit['record']).contentEncoding, null);
    await server.stop();
  });

  it('share a segment with others where little is left of a long one', async (t) => {
    const path = await temporaryDirectory(t);
    const server = await TestServer.start(path);
    const worker = server.addWorker(new BodyEncoder());
    const body = Buffer.alloc(8 * MiB, 'the same line again and again\n');
    await worker.store.put('before', HTML, pageOf(2000));
    await worker.store.put('long', HTML, inPieces(body, 99_999));
    const files = readdirSync(join(path, 'segments'));
    assert.equal(files.length, 1);
    assert.ok(statSync(join(path, 'segments', files[0] ?? '')).size < MiB);
    for (const framing of FRAMED_FORMS) {
      const { record, content } = await hitOf(worker, 'long', framing);
      assert.equal(record.plainBytes, body.length);
      const isPlain = framing.encoded !== true;
      assert.equal(content.whole === undefined, isPlain, 'decoded piece by piece');
      const bytes = await bytesOf(content);
      const whole = Buffer.concat([framing.prologue, body, framing.epilogue]);
      assertBytes(isPlain ? bytes : gunzipSync(bytes), whole, `encoded ${framing.encoded}`);
    }
    assert.equal(worker.slabs.onLoan, 0);
    await server.stop();
  });

  it('are read once for all who wait for one and take the same form', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const worker = server.addWorker(new BodyEncoder());
    const { store, slabs } = worker;
    const asked = { leaseMs: 30_000, waitMs: 10_000 };
    const { token } = await store.getLeased('page', {}, asked);
    assert.ok(token !== undefined);
    const waits = Array.from({ length: 40 }, (_, nth) => {
      const reading: Reading = { frame: () => ({ ...FRAME, encoded: nth % 2 === 0 }) };
      return store.getLeased('page', reading, asked);
    });
    await eventually(() => server.storage.entries.leases.counts.waiting === 40);
    await store.put('page', HTML, pageOf(50_000), undefined, token);
    const hits = (await Promise.all(waits)).map(({ found }) => found);
    assert.ok(slabs.onLoan <= 1, 'those who take it encoded share one slab');
    const whole = Buffer.concat([FRAME.prologue, pageOf(50_000), FRAME.epilogue]);
    for (const [nth, hit] of hits.entries()) {
      assert.ok(hit.found);
      const bytes = await bytesOf(hit.content);
      assertBytes(nth % 2 === 0 ? gunzipSync(bytes) : bytes, whole, `the reader ${nth}`);
    }
    assert.equal(slabs.onLoan, 0);
    await server.stop();
  });
});
