/** A store whose bodies are compressed: it verifies, is rebuilt from its segments, and is backed up. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runRebuild } from '../../../src/primary/commands/rebuild/command.ts';
import { runVerify } from '../../../src/primary/commands/verify/command.ts';
import { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { pageOf } from '../../workers/store/contract-compression.ts';
import { inPieces, JSON_META, RAW_META } from '../../workers/store/store-subject.ts';
import { filledStore, outcomeOf, QUIET, readAll, recordIn, TRUST } from './stopped-store-setup.ts';

const MiB = 2 ** 20;
const BODIES = new Map([
  ['page', pageOf(5000)],
  ['value', pageOf(50_000)],
  ['long', pageOf(3 * MiB)],
]);

async function compressedStore(path: string): Promise<void> {
  await filledStore(path, async (_, server) => {
    const { store } = server.addWorker(new BodyEncoder());
    for (const [key, body] of BODIES) {
      const meta = key === 'value' ? JSON_META : { ...RAW_META, contentType: 'text/html' };
      await store.put(key, meta, inPieces(body, 100_000));
    }
  });
}

async function isSound(path: string): Promise<void> {
  const { code, out } = await outcomeOf((write) =>
    runVerify(path, { fast: false, json: false }, write, QUIET),
  );
  assert.equal(code, 0, out);
}

describe('a store of compressed bodies', () => {
  it('is sound, and the same entries come back when its index is made anew', async (t) => {
    const path = await temporaryDirectory(t);
    await compressedStore(path);
    await isSound(path);
    const before = [];
    for (const key of BODIES.keys()) before.push(await recordIn(path, key));
    await rm(join(path, 'index'), { recursive: true });
    const { code, out } = await outcomeOf((write) => runRebuild(path, TRUST, write, QUIET));
    assert.equal(code, 0, out);
    await isSound(path);
    for (const [nth, key] of [...BODIES.keys()].entries()) {
      const { version: _, ...record } = await recordIn(path, key);
      const { version: __, ...expected } = before[nth] ?? {};
      assert.deepEqual(record, expected);
      assert.equal(record.contentEncoding, 'gzip');
      assert.ok(record.storedBytes < record.plainBytes / 2);
    }
    const found = await readAll(path, BODIES.keys());
    for (const [key, body] of BODIES) assert.ok(found.get(key)?.equals(body), key);
  });
});
