/** A store in which room was made: entries copied elsewhere, others evicted. It verifies and is rebuilt. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { runRebuild } from '../../../src/primary/commands/rebuild/command.ts';
import { runVerify } from '../../../src/primary/commands/verify/command.ts';
import { SEGMENT_RANGE, segmentIdOfKey } from '../../../src/primary/store/index/index-keys.ts';
import { decodeSegmentStats } from '../../../src/primary/store/segment-stats.ts';
import { RECLAIM_WRITER } from '../../../src/primary/store/space/copy-targets.ts';
import { VerifiedWalk } from '../../../src/segments/verified-walk.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer } from '../../workers/store/segment-store-setup.ts';
import { bytesOf, pattern, RAW_META } from '../../workers/store/store-subject.ts';
import { outcomeOf, QUIET, readAll, segmentPath, TRUST, withIndex } from './stopped-store-setup.ts';

const MiB = 2 ** 20;
const HOT = Array.from({ length: 20 }, (_, nth) => `page/${nth}`);
const bodyOf = (key: string): Buffer => pattern(64 * 1024, Number(key.slice(5)) + 1);

/** Stores 1,000 bodies of 64 KiB where 48 MiB are allowed, and reads the first few again and again. */
async function reclaimedStore(path: string): Promise<void> {
  const limits = { storeBytesMax: 48 * MiB, workers: 1 };
  const server = await TestServer.start(path, Date.now, 4 * MiB, limits);
  const { store } = server.addWorker();
  for (let nth = 0; nth < 1000; nth++) {
    await store.put(`page/${nth}`, RAW_META, bodyOf(`page/${nth}`));
    if (nth < HOT.length || nth % 20 !== 0) continue;
    for (const key of HOT) {
      const hit = await store.get(key);
      assert.ok(hit.found, `${key} at ${nth}`);
      assert.deepEqual(await bytesOf(hit.content), bodyOf(key));
    }
  }
  assert.ok(server.storage.entries.evicted > 0);
  await server.stop();
}

async function isSound(path: string): Promise<void> {
  const { code, out } = await outcomeOf((write) =>
    runVerify(path, { fast: false, json: false }, write, QUIET),
  );
  assert.equal(code, 0, out);
}

/** Segments that hold copies; the index tells the size of each file. */
async function copiedSegments(path: string): Promise<number> {
  let copied = 0;
  await withIndex(path, async (index) => {
    for await (const [key, value] of index.iterator(SEGMENT_RANGE)) {
      const { id, fileBytes } = decodeSegmentStats(segmentIdOfKey(key), value);
      assert.equal(fileBytes, (await stat(segmentPath(path, id))).size, `segment ${id}`);
      const walk = await VerifiedWalk.open(segmentPath(path, id));
      if ((await walk.header())?.writer === RECLAIM_WRITER) copied += 1;
      await walk.close();
    }
  });
  return copied;
}

describe('a store in which room was made', () => {
  it('is sound, and so is what is rebuilt of it', async (t) => {
    const path = await temporaryDirectory(t);
    await reclaimedStore(path);
    await isSound(path);
    assert.ok((await copiedSegments(path)) > 0);
    const { code, out } = await outcomeOf((write) => runRebuild(path, TRUST, write, QUIET));
    assert.equal(code, 0, out);
    await isSound(path);
    assert.ok((await copiedSegments(path)) > 0);
    const found = await readAll(path, HOT);
    for (const key of HOT) assert.deepEqual(found.get(key), bodyOf(key));
  });
});
