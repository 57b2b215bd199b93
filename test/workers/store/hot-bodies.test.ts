/** Longer bodies that a worker holds beside its records. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { bucketOf } from '../../../src/protocol/key-hash.ts';
import type { EntryMeta } from '../../../src/protocol/record.ts';
import { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { RecordCache } from '../../../src/workers/store/record-cache.ts';
import type { Framing } from '../../../src/workers/store/store.ts';
import { flip } from '../../primary/commands/stopped-store-setup.ts';
import { recordOf } from '../../primary/store/store-setup.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { pageOf } from './contract-compression.ts';
import { TestServer, type TestWorker } from './segment-store-setup.ts';
import { assertBytes, bytesOf, missReason, pattern, RAW_META } from './store-subject.ts';

const MiB = 1024 * 1024;
const BODY_BYTES = 10_000;
/** What one of these counts for. */
const HELD_BYTES = BODY_BYTES + 200;
const EMPTY = Buffer.alloc(0);
const HTML: EntryMeta = { ...RAW_META, contentType: 'text/html' };
const ALONE: Framing = { prologue: EMPTY, epilogue: EMPTY };
const FRAMED: Framing = { prologue: Buffer.from('{"value":'), epilogue: Buffer.from('}') };

/** Reads `key` as a worker that has no body of it at hand does. True when its body is held then. */
function hit(cache: RecordCache, key: string, bodyBytes = BODY_BYTES): boolean {
  if (cache.get(key) === undefined) cache.take(key, recordOf(key));
  const held = cache.get(key);
  assert.ok(held);
  if (held.body === undefined && cache.wantsBody(held, bodyBytes)) {
    cache.keepBody(held, Buffer.alloc(bodyBytes));
  }
  cache.noteHit(held, true);
  return held.body !== undefined;
}

describe('the hot bodies of a record cache', () => {
  it('are those that are hit again, and of at most 64 KiB', () => {
    const cache = new RecordCache(MiB, MiB);
    assert.deepEqual([hit(cache, 'page'), hit(cache, 'page')], [false, true]);
    assert.equal(cache.bodyBytes, HELD_BYTES);
    for (const _ of [1, 2, 3]) assert.equal(hit(cache, 'long', 64 * 1024 + 1), false);
  });

  it('are none where there is no room for any', () => {
    const cache = new RecordCache(MiB, 0);
    for (const _ of [1, 2, 3]) assert.equal(hit(cache, 'page'), false);
    assert.equal(hit(cache, 'short', 1000), true);
    assert.equal(cache.bodyBytes, 0);
  });

  it('go with their records', () => {
    const cache = new RecordCache(MiB, MiB);
    for (const key of ['one', 'other', 'one', 'other']) hit(cache, key);
    assert.equal(cache.bodyBytes, 2 * HELD_BYTES);
    cache.drop([bucketOf('one')]);
    assert.equal(cache.get('one'), undefined);
    assert.equal(cache.bodyBytes, HELD_BYTES);
    cache.drop(undefined);
    assert.equal(cache.bodyBytes, 0);
  });

  it('are not driven out at every hit by others that do not fit beside them', () => {
    const cache = new RecordCache(MiB, 10 * HELD_BYTES);
    const keys = Array.from({ length: 40 }, (_, nth) => `page/${nth}`);
    for (const key of keys) hit(cache, key);
    let taken = 0;
    for (let round = 0; round < 20; round++) {
      for (const key of keys) {
        const wasHeld = cache.get(key)?.body !== undefined;
        if (hit(cache, key) && !wasHeld) taken += 1;
        assert.ok(cache.bodyBytes <= 10 * HELD_BYTES);
      }
    }
    assert.ok(taken > 10 && taken < 80, `${taken} were taken in 800 hits`);
  });

  it('make room for what has become hot', () => {
    const cache = new RecordCache(MiB, 10 * HELD_BYTES);
    const pages = (name: string): string[] => [...Array(10).keys()].map((nth) => `${name}/${nth}`);
    for (let round = 0; round < 3; round++) for (const key of pages('old')) hit(cache, key);
    for (let round = 0; round < 60; round++) for (const key of pages('new')) hit(cache, key);
    const held = pages('new').filter((key) => cache.get(key)?.body !== undefined);
    assert.ok(held.length >= 9, `${held.length} of the new ones are held`);
  });
});

describe('a hot entry', () => {
  async function started(
    t: TestContext,
    path: string,
    encoder?: BodyEncoder,
  ): Promise<[TestServer, TestWorker]> {
    const server = await TestServer.start(path);
    t.after(() => server.stop());
    return [server, server.addWorker(encoder)];
  }

  async function shown({ store }: TestWorker, framing: Framing): Promise<Buffer> {
    const found = await store.get('page', { frame: () => framing });
    assert.ok(found.found);
    return bytesOf(found.content);
  }

  async function makeHot(
    worker: TestWorker,
    by: Framing = { ...ALONE, encoded: true },
  ): Promise<void> {
    for (const _ of [1, 2, 3]) await shown(worker, by);
    assert.ok(worker.records.bodyBytes > 0, 'its body is held');
  }

  it('is the same in any frame and any part as before, and its file is not read', async (t) => {
    const path = await temporaryDirectory(t);
    const [, worker] = await started(t, path);
    const body = pattern(30_000, 3);
    await worker.store.put('page', RAW_META, body);
    const found = await worker.store.find('page');
    assert.ok('pointer' in found);
    const { segment, offset } = found.pointer;
    await makeHot(worker);
    // Whoever reads it finds it damaged.
    await flip(join(path, 'segments', segmentFileName(segment)), offset + 100);
    for (const _ of [1, 2]) {
      assertBytes(await shown(worker, ALONE), body, 'alone');
      const framed = Buffer.concat([FRAMED.prologue, body, FRAMED.epilogue]);
      assertBytes(await shown(worker, FRAMED), framed, 'framed');
      const range = { start: 50, end: 20_000 };
      assertBytes(await shown(worker, { ...ALONE, range }), body.subarray(50, 20_000), 'a part');
    }
    assert.equal(worker.slabs.onLoan, 0);
    assert.deepEqual(worker.damaged, []);
  });

  for (const [what, by] of [
    ['encoded', { ...ALONE, encoded: true }],
    ['encoded in a frame', { ...FRAMED, encoded: true }],
    ['plain', ALONE],
    ['plain in a frame', FRAMED],
  ] as const) {
    it(`is the same in all its forms once it is held from being shown ${what}`, async (t) => {
      const [, worker] = await started(t, await temporaryDirectory(t), new BodyEncoder());
      const page = pageOf(40_000);
      await worker.store.put('page', HTML, page);
      await makeHot(worker, by);
      const framed = Buffer.concat([FRAMED.prologue, page, FRAMED.epilogue]);
      for (const _ of [1, 2]) {
        assertBytes(gunzipSync(await shown(worker, { ...ALONE, encoded: true })), page, 'encoded');
        const spliced = await shown(worker, { ...FRAMED, encoded: true });
        assertBytes(gunzipSync(spliced), framed, 'encoded in a frame');
        assertBytes(await shown(worker, ALONE), page, 'plain');
        assertBytes(await shown(worker, FRAMED), framed, 'plain in a frame');
      }
      assert.equal(worker.slabs.onLoan, 0);
    });
  }

  for (const plainBytes of [300_000, 3 * MiB]) {
    it(`of ${plainBytes} bytes that gzip makes short is decoded from what is held`, async (t) => {
      const [, worker] = await started(t, await temporaryDirectory(t), new BodyEncoder());
      const page = Buffer.concat([pageOf(60_000), Buffer.alloc(plainBytes, '<td>nothing</td>')]);
      await worker.store.put('page', HTML, page);
      await makeHot(worker);
      for (const _ of [1, 2]) {
        assertBytes(await shown(worker, ALONE), page, 'plain');
        const framed = Buffer.concat([FRAMED.prologue, page, FRAMED.epilogue]);
        assertBytes(await shown(worker, FRAMED), framed, 'plain in a frame');
        assertBytes(gunzipSync(await shown(worker, { ...ALONE, encoded: true })), page, 'encoded');
      }
      assert.equal(worker.slabs.onLoan, 0);
    });
  }

  it('is the new one as soon as it was overwritten, and gone as soon as it was deleted', async (t) => {
    const [server, worker] = await started(t, await temporaryDirectory(t));
    const writer = server.addWorker();
    await worker.store.put('page', RAW_META, pattern(30_000, 1));
    await makeHot(worker);
    await writer.store.put('page', RAW_META, pattern(20_000, 2));
    assertBytes(await shown(worker, ALONE), pattern(20_000, 2), 'overwritten');
    await makeHot(worker);
    await writer.store.delete('page');
    assert.equal(await missReason(worker.store, 'page'), 'never-seen');
    assert.equal(worker.records.bodyBytes, 0);
  });
});
