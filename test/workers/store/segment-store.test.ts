import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDirectory } from '../../../src/primary/directory/directory.ts';
import { entryKey } from '../../../src/primary/store/index/index-keys.ts';
import { SegmentState } from '../../../src/primary/store/segment-stats.ts';
import type { BigCacheError } from '../../../src/protocol/errors.ts';
import { type EntryMeta, Kind } from '../../../src/protocol/record.ts';
import type { Hit, Miss } from '../../../src/workers/store/store.ts';
import { eventually } from '../../eventually.ts';
import { openIndex } from '../../primary/store/index/open-index.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer } from './segment-store-setup.ts';

const MiB = 1024 * 1024;
const RAW: EntryMeta = {
  kind: Kind.raw,
  expiresAtMs: 0,
  contentType: null,
  expire: null,
  duration: null,
};

async function bodyOf(found: Hit | Miss): Promise<Buffer> {
  assert.ok(found.found, 'it is a hit');
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of found.content.chunks()) chunks.push(Buffer.from(chunk));
  } finally {
    found.content.release();
  }
  return Buffer.concat(chunks);
}

async function* pieces(body: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

/** Flips one byte of the newest segment file at a place counted from its end. */
async function flipFromEnd(directory: string, fromEnd: number): Promise<void> {
  const names = (await readdir(directory)).sort();
  const file = await open(join(directory, names.at(-1) ?? ''), 'r+');
  const at = (await file.stat()).size - fromEnd;
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0xff;
  await file.write(byte, 0, 1, at);
  await file.close();
}

describe('the store of a worker', () => {
  it('shows an acknowledged write to every other worker at once', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const [one, other] = [server.addWorker(), server.addWorker()];
    for (let round = 0; round < 50; round++) {
      const body = Buffer.from(`round ${round}`);
      await one.store.put('page', RAW, body);
      assert.deepEqual(await bodyOf(await other.store.get('page')), body);
    }
    await server.stop();
  });

  it('refuses what would make a record too long for the channel, voids it, and goes on', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store, segments } = server.addWorker();
    const tooMuch = { ...RAW, contentType: 'x'.repeat(70_000) };
    const refused = { name: 'BigCacheError', code: 'REQUEST_INVALID' };
    await assert.rejects(store.put('page', tooMuch, Buffer.from('one')), refused);
    assert.equal((await store.get('page')).found, false);
    await store.put('page', RAW, Buffer.from('two'));
    assert.deepEqual(await bodyOf(await store.get('page')), Buffer.from('two'));
    await segments.sealAll();
    await eventually(() => segments.isIdle);
    await server.stop();
  });

  it('keeps entries, counters and purges over a restart, and never gives a version twice', async (t) => {
    const path = await temporaryDirectory(t);
    let server = await TestServer.start(path);
    let { store } = server.addWorker();
    const before = await store.put('a/1', RAW, Buffer.from('one'));
    await store.put('a/2', RAW, Buffer.from('two'));
    await store.put('b/1', RAW, Buffer.from('three'));
    assert.equal(await store.deletePrefix('a/'), 2);
    await server.stop();

    server = await TestServer.start(path);
    ({ store } = server.addWorker());
    assert.equal(await store.count(), 1);
    assert.deepEqual(await bodyOf(await store.get('b/1')), Buffer.from('three'));
    assert.equal((await store.get('a/1')).found, false);
    const after = await store.put('a/1', RAW, Buffer.from('new'));
    assert.ok(after.version > before.version + 2 ** 31);
    await server.stop();
  });

  it('goes on after a worker died, with what it had acknowledged', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const dying = server.addWorker();
    await dying.store.put('kept', RAW, Buffer.from('kept'));
    dying.die();
    await assert.rejects(
      dying.store.put('lost', RAW, Buffer.from('lost')),
      (error: BigCacheError) => error.code === 'STORE_UNAVAILABLE',
    );
    const { store } = server.addWorker();
    assert.deepEqual(await bodyOf(await store.get('kept')), Buffer.from('kept'));
    await eventually(() =>
      [...server.storage.entries.segments.values()].every(
        (segment) => segment.state !== SegmentState.open,
      ),
    );
    await server.stop();
  });

  it('rolls over to new segments, and drops those that are dead', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const worker = server.addWorker();
    const body = randomBytes(500_000);
    for (let nth = 0; nth < 30; nth++) await worker.store.put('same key', RAW, body);
    const { segmentsPath } = server.directory;
    await eventually(async () => (await readdir(segmentsPath)).length <= 2);
    assert.deepEqual(await bodyOf(await worker.store.get('same key')), body);
    await server.stop();
  });

  it('appends many bodies at once, across a roll-over, without mixing them up', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store } = server.addWorker();
    const bodies = Array.from({ length: 400 }, (_, nth) => randomBytes(20_000 + nth));
    await Promise.all(bodies.map((body, nth) => store.put(`key ${nth}`, RAW, body)));
    for (const [nth, body] of bodies.entries()) {
      assert.ok((await bodyOf(await store.get(`key ${nth}`))).equals(body));
    }
    assert.equal(await store.count(), 400);
    await server.stop();
  });

  it('streams a long body into a segment of its own, whose file goes when it is deleted', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store, slabs } = server.addWorker();
    const body = randomBytes(9 * MiB + 12_345);
    await store.put('long', RAW, pieces(body, 100_001));
    await store.put('short', RAW, Buffer.from('short'));
    assert.ok((await bodyOf(await store.get('long'))).equals(body));
    assert.equal(slabs.onLoan, 0);
    const { segmentsPath } = server.directory;
    assert.equal((await readdir(segmentsPath)).length, 2);
    assert.equal(await store.delete('long'), true);
    await eventually(async () => (await readdir(segmentsPath)).length === 1);
    await server.stop();
  });

  it('stores nothing when a long body breaks off, and gives its space back', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store } = server.addWorker();
    await store.put('page', RAW, Buffer.from('old'));
    async function* breaking(): AsyncGenerator<Buffer> {
      yield randomBytes(3 * MiB);
      throw new Error('the client left');
    }
    await assert.rejects(store.put('page', RAW, breaking()), /the client left/);
    assert.deepEqual(await bodyOf(await store.get('page')), Buffer.from('old'));
    const { segmentsPath } = server.directory;
    await eventually(async () => (await readdir(segmentsPath)).length === 1);
    await server.stop();
  });

  it('makes a damaged body a miss, drops that entry, and only that', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const writer = server.addWorker();
    await writer.store.put('sound', RAW, randomBytes(3000));
    await writer.store.put('damaged', RAW, randomBytes(3000));
    await flipFromEnd(server.directory.segmentsPath, 1500);
    for (const reader of [server.addWorker(), writer]) {
      assert.deepEqual(await reader.store.get('damaged'), { found: false, reason: 'never-seen' });
      assert.equal((await reader.store.get('sound')).found, true);
    }
    assert.equal(await writer.store.count(), 1);
    await server.stop();
  });

  it('makes a damaged record a miss, whatever its version has become, and goes on', async (t) => {
    const path = await temporaryDirectory(t);
    let server = await TestServer.start(path);
    const writer = server.addWorker().store;
    for (const key of ['damaged', 'sound']) await writer.put(key, RAW, Buffer.from(key));
    await server.stop();
    const directory = await openDirectory(path);
    const index = await openIndex(directory);
    const record = (await index.get(entryKey('damaged'))) ?? assert.fail();
    await index.put(entryKey('damaged'), record.fill(0xff, 8, 16));
    await index.close();
    await directory.release();
    server = await TestServer.start(path);
    const { store, damaged } = server.addWorker();
    assert.equal((await store.get('damaged')).found, false);
    assert.deepEqual(damaged, ['record of damaged']);
    assert.equal((await store.get('sound')).found, true);
    assert.equal((await store.put('damaged', RAW, Buffer.from('new'))).created, true);
    await server.stop();
  });

  it('cuts a long body off where its damage begins, drops it, and is not met by it again', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store, slabs, damaged } = server.addWorker();
    await store.put('long', RAW, pieces(randomBytes(5 * MiB), 65_536));
    await flipFromEnd(server.directory.segmentsPath, 2 * MiB);
    await assert.rejects(bodyOf(await store.get('long')), /not as it was written/);
    assert.equal(slabs.onLoan, 0);
    assert.deepEqual(damaged, ['body of long']);
    await eventually(async () => (await store.count()) === 0);
    assert.equal((await store.get('long')).found, false);
    await server.stop();
  });

  it('drops no other version than the one whose damage was met', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store } = server.addWorker();
    await store.put('long', RAW, pieces(randomBytes(5 * MiB), 65_536));
    await flipFromEnd(server.directory.segmentsPath, 2 * MiB);
    const old = await store.get('long');
    await store.put('long', RAW, Buffer.from('new'));
    await assert.rejects(bodyOf(old), /not as it was written/);
    await store.put('later', RAW, Buffer.from('in the lane behind the drop'));
    assert.deepEqual(await bodyOf(await store.get('long')), Buffer.from('new'));
    await server.stop();
  });

  it('makes the entries of a missing segment misses, and keeps the others', async (t) => {
    const path = await temporaryDirectory(t);
    let server = await TestServer.start(path);
    await server.addWorker().store.put('gone', RAW, Buffer.from('gone'));
    await server.addWorker().store.put('here', RAW, Buffer.from('here'));
    await server.stop();
    const [first] = (await readdir(join(path, 'segments'))).sort();
    await unlink(join(path, 'segments', first ?? ''));
    server = await TestServer.start(path);
    const { store, damaged } = server.addWorker();
    assert.equal((await store.get('gone')).found, false);
    assert.deepEqual(damaged, [], 'the primary knows that the file is gone');
    assert.deepEqual(await bodyOf(await store.get('here')), Buffer.from('here'));
    await server.stop();
  });

  it('moves a file that it does not know to quarantine', async (t) => {
    const path = await temporaryDirectory(t);
    let server = await TestServer.start(path);
    await server.stop();
    await writeFile(join(path, 'segments', '00000999.seg'), 'what is this');
    server = await TestServer.start(path);
    assert.deepEqual(await readdir(join(path, 'segments')), []);
    const [name] = await readdir(join(path, 'quarantine'));
    assert.equal(await readFile(join(path, 'quarantine', name ?? ''), 'utf8'), 'what is this');
    await server.stop();
  });

  it('clears at once: the count is 0, the files go, new entries stay', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const [one, other] = [server.addWorker(), server.addWorker()];
    for (let nth = 0; nth < 200; nth++) {
      await one.store.put(`key ${nth}`, RAW, randomBytes(50_000));
    }
    await one.store.clear();
    assert.equal(await other.store.count(), 0);
    assert.deepEqual(await other.store.get('key 7'), { found: false, reason: 'purged' });
    await other.store.put('key 7', RAW, Buffer.from('new'));
    const { segmentsPath } = server.directory;
    await eventually(() => server.storage.entries.pendingPurges.length === 0);
    await one.segments.sealAll();
    await eventually(async () => (await readdir(segmentsPath)).length === 1);
    assert.equal(await one.store.count(), 1);
    assert.deepEqual(await bodyOf(await one.store.get('key 7')), Buffer.from('new'));
    await server.stop();
  });

  it('remembers a clear over a restart that comes before the hand is done', async (t) => {
    const path = await temporaryDirectory(t);
    let server = await TestServer.start(path);
    const { store } = server.addWorker();
    for (let nth = 0; nth < 5000; nth++) void store.put(`key ${nth}`, RAW, Buffer.from('x'));
    await store.put('last', RAW, Buffer.from('x'));
    await store.clear();
    await server.stop();
    server = await TestServer.start(path);
    const again = server.addWorker().store;
    assert.equal(await again.count(), 0);
    assert.equal((await again.get('key 17')).found, false);
    await eventually(() => server.storage.entries.pendingPurges.length === 0);
    assert.deepEqual(await again.get('key 17'), { found: false, reason: 'never-seen' });
    await server.stop();
  });

  it('counts for each of two prefix deletes at once what it took itself', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store } = server.addWorker();
    const keys = Array.from({ length: 1000 }, (_, nth) => `a/${nth % 10}/${nth}`);
    await Promise.all(keys.map((key) => store.put(key, RAW, Buffer.from(key))));
    const [narrow, wide, same] = await Promise.all([
      store.deletePrefix('a/3/'),
      store.deletePrefix('a/'),
      store.deletePrefix('a/'),
    ]);
    assert.deepEqual([narrow, wide, same], [100, 900, 0]);
    assert.equal(await store.count(), 0);
    await server.stop();
  });

  it('counts what is overwritten while a prefix delete runs, and keeps the new entry', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store } = server.addWorker();
    for (let nth = 0; nth < 300; nth++) await store.put(`a/${nth}`, RAW, Buffer.from('old'));
    const deleting = store.deletePrefix('a/');
    const writing = store.put('a/150', RAW, Buffer.from('new'));
    assert.equal(await deleting, 300);
    await writing;
    assert.deepEqual(await bodyOf(await store.get('a/150')), Buffer.from('new'));
    assert.equal(await store.count(), 1);
    await server.stop();
  });

  it('says expired for a minute, and then removes the entry by itself', async (t) => {
    let nowMs = 1_000_000_000_000;
    const server = await TestServer.start(await temporaryDirectory(t), () => nowMs);
    const { store } = server.addWorker();
    await store.put('short-lived', { ...RAW, expiresAtMs: nowMs + 1000 }, Buffer.from('x'));
    await store.put('lasting', RAW, Buffer.from('x'));
    nowMs += 999;
    assert.equal((await store.get('short-lived')).found, true);
    nowMs += 1;
    assert.deepEqual(await store.get('short-lived'), { found: false, reason: 'expired' });
    assert.equal(await store.count(), 2);
    nowMs += 130_000;
    // A restart lets the hand begin its round without waiting.
    await server.storage.close();
    await server.storage.open();
    nowMs += 61_000;
    await server.storage.deletePrefix('no such prefix');
    await eventually(async () => (await store.count()) === 1);
    assert.deepEqual(await store.get('short-lived'), { found: false, reason: 'swept' });
    await server.stop();
  });

  it('refuses everything with STORE_CLOSED between close and open, then goes on', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store } = server.addWorker();
    await store.put('page', RAW, Buffer.from('body'));
    await store.checkWritable();
    await store.close();
    const isClosed = (error: BigCacheError): boolean => error.code === 'STORE_CLOSED';
    await assert.rejects(async () => await store.get('page'), isClosed);
    await assert.rejects(store.put('page', RAW, Buffer.from('x')), isClosed);
    await assert.rejects(store.delete('page'), isClosed);
    await assert.rejects(store.deletePrefix('p'), isClosed);
    await assert.rejects(store.clear(), isClosed);
    await assert.rejects(store.count(), isClosed);
    await assert.rejects(store.checkWritable(), isClosed);
    await store.close();
    await store.open();
    assert.deepEqual(await bodyOf(await store.get('page')), Buffer.from('body'));
    await store.put('page', RAW, Buffer.from('new'));
    assert.deepEqual(await bodyOf(await store.get('page')), Buffer.from('new'));
    await server.stop();
  });

  it('never takes a segment file for another: ids rise over restarts', async (t) => {
    const path = await temporaryDirectory(t);
    const names = new Set<string>();
    for (let run = 0; run < 3; run++) {
      const server = await TestServer.start(path);
      await server.addWorker().store.put(`run ${run}`, RAW, Buffer.from('x'));
      for (const name of await readdir(join(path, 'segments'))) names.add(name);
      await server.stop();
    }
    assert.deepEqual([...names].sort(), ['00000001.seg', '00000002.seg', '00000003.seg']);
  });

  it('keeps a segment that its counters call dead while records point to it', async (t) => {
    const server = await TestServer.start(await temporaryDirectory(t));
    const { store, segments } = server.addWorker();
    await store.put('page', RAW, Buffer.from('body'));
    const [stats] = server.storage.entries.segments.values();
    assert.ok(stats !== undefined);
    Object.assign(stats, { records: 0, bytesLive: 0 });
    await segments.sealAll();
    await sleep(1500);
    assert.deepEqual(await bodyOf(await store.get('page')), Buffer.from('body'));
    assert.equal((await stat(join(server.directory.segmentsPath, '00000001.seg'))).isFile(), true);
    await server.stop();
  });
});
