/** What a backup holds, what it leaves alone, and how it ends when it cannot be made. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { claimDirectory } from '../../../../src/primary/directory/owner.ts';
import { PURGE_RANGE } from '../../../../src/primary/store/index/index-keys.ts';
import { SegmentState } from '../../../../src/primary/store/segment-stats.ts';
import { segmentFileName } from '../../../../src/segments/format.ts';
import { eventually } from '../../../eventually.ts';
import { openIndex } from '../index/open-index.ts';
import { contentOf, directoryElsewhere, FAST, RAW, servedStore } from './backup-setup.ts';

const MiB = 1024 * 1024;
const SLOW = 1 * MiB;

const refusal = (pattern: RegExp): { name: RegExp; message: RegExp } => ({
  name: /^(CannotRunError|DamagedStoreError)$/,
  message: pattern,
});
const cancelled = (pattern: RegExp): { name: string; message: RegExp } => ({
  name: 'Cancelled',
  message: pattern,
});

describe('a backup', () => {
  it('of a store without entries is a store without entries', async (t) => {
    const { server, place } = await servedStore(t);
    const to = place('backup');
    const result = await server.storage.backUp({ to, bytesPerSecond: FAST });
    assert.equal(result.entries, 0);
    assert.equal((await contentOf(to, ['key'])).size, 0);
  });

  it('links what is sealed and copies what is open, streamed bodies among them', async (t) => {
    const { server, worker, place } = await servedStore(t);
    const large = randomBytes(3 * MiB + 17);
    await worker.store.put('sealed', RAW, Buffer.from('sealed'));
    await worker.segments.sealAll();
    await eventually(() => worker.segments.isIdle);
    await worker.store.put('large', RAW, pieces(large));
    await eventually(() => openSegments(server) === 0);
    await worker.store.put('open', RAW, Buffer.from('open'));
    const to = place('backup');
    const result = await server.storage.backUp({ to, bytesPerSecond: FAST });
    assert.deepEqual([result.linkedFiles, result.copiedFiles], [2, 1]);
    assert.deepEqual(result.missing, []);
    const content = await contentOf(to, ['sealed', 'large', 'open']);
    assert.equal(content.get('sealed'), 'sealed');
    assert.equal(content.get('open'), 'open');
    assert.ok(content.get('large') === large.toString('latin1'));
  });

  it('is copied where there can be no links', async (t) => {
    const { server, worker } = await servedStore(t);
    await worker.store.put('key', RAW, Buffer.from('body'));
    await worker.segments.sealAll();
    await eventually(() => openSegments(server) === 0);
    const to = join(await directoryElsewhere(t), 'backup');
    const result = await server.storage.backUp({ to, bytesPerSecond: FAST });
    assert.deepEqual([result.linkedFiles, result.copiedFiles], [0, 1]);
    assert.equal((await contentOf(to, ['key'])).get('key'), 'body');
  });

  it('keeps purges that are not worked off in force, and the clear', async (t) => {
    const { server, worker, place } = await servedStore(t);
    for (const key of ['x/1', 'a/1', 'b/1']) {
      if (key === 'a/1') await server.storage.entries.purge('');
      await worker.store.put(key, RAW, Buffer.from('body'));
    }
    await server.storage.entries.purge('a/');
    assert.ok(server.storage.entries.pendingPurges.length > 0);
    const to = place('backup');
    const { entries } = await server.storage.backUp({ to, bytesPerSecond: FAST });
    assert.equal(entries, 2, 'the purged one counts until it is removed');
    await cp(to, place('look'), { recursive: true });
    const directory = await openDirectory(place('look'));
    const index = await openIndex(directory);
    const pending = await index.keys(PURGE_RANGE).all();
    await index.close();
    await directory.release();
    assert.ok(pending.length > 0, 'the purge is still pending in the backup');
    assert.deepEqual([...(await contentOf(to, ['x/1', 'a/1', 'b/1'])).keys()], ['b/1']);
  });

  it('holds what has expired, which stays expired', async (t) => {
    let nowMs = 1_000_000;
    const { server, worker, place } = await servedStore(t, () => nowMs);
    await worker.store.put('short', { ...RAW, expiresAtMs: nowMs + 10 }, Buffer.from('short'));
    await worker.store.put('long', RAW, Buffer.from('long'));
    nowMs += 20;
    const to = place('backup');
    await server.storage.backUp({ to, bytesPerSecond: FAST });
    const content = await contentOf(to, ['short', 'long'], () => nowMs);
    assert.deepEqual([...content.keys()], ['long']);
  });

  it('says which segments the store itself has lost', async (t) => {
    const { server, worker, place } = await servedStore(t);
    await worker.store.put('lost', RAW, Buffer.from('lost'));
    await worker.segments.sealAll();
    await eventually(() => openSegments(server) === 0);
    const [id = 0] = server.storage.entries.segments.keys();
    await unlink(join(server.directory.segmentsPath, segmentFileName(id)));
    const to = place('backup');
    const result = await server.storage.backUp({ to, bytesPerSecond: FAST });
    assert.deepEqual(result.missing, [id]);
  });

  it('is refused where anything is, in the store, and without a parent', async (t) => {
    const { server, place } = await servedStore(t);
    const backUp = (to: string): Promise<unknown> =>
      server.storage.backUp({ to, bytesPerSecond: FAST });
    await mkdir(place('full'));
    await writeFile(join(place('full'), 'notes.txt'), 'mine');
    await assert.rejects(backUp(place('full')), refusal(/is not empty/));
    assert.deepEqual(readdirSync(place('full')), ['notes.txt']);
    await assert.rejects(backUp(join(place('full'), 'notes.txt')), refusal(/not a directory/));
    await assert.rejects(backUp(join(place('store'), 'backup')), refusal(/is inside the store/));
    await symlink(place('store'), place('link'));
    await assert.rejects(backUp(join(place('link'), 'backup')), refusal(/is inside the store/));
    await assert.rejects(backUp(place('store')), refusal(/is inside the store/));
    await assert.rejects(backUp(place('.')), refusal(/holds the store/));
    await assert.rejects(backUp(place('none/backup')), refusal(/make the directory .*none first/));
    await assert.rejects(backUp('backup'), refusal(/not an absolute path/));
    await mkdir(place('taken'));
    const release = await claimDirectory(place('taken'));
    await assert.rejects(backUp(place('taken')), refusal(/is in use/));
    await release();
    assert.deepEqual(readdirSync(place('taken')), []);
  });
});

describe('a backup that does not come to its end', () => {
  /** A store of 4 MiB and a backup of it that takes seconds, begun. */
  async function begun(t: Parameters<typeof servedStore>[0], signal?: AbortSignal) {
    const { server, worker, place } = await servedStore(t);
    await worker.store.put('large', RAW, pieces(randomBytes(4 * MiB)));
    await eventually(() => openSegments(server) === 0);
    const to = join(await directoryElsewhere(t), 'backup');
    let share = 0;
    const making = server.storage.backUp({
      to,
      bytesPerSecond: SLOW,
      onProgress: (done) => {
        share = done;
      },
      ...(signal === undefined ? {} : { signal }),
    });
    making.catch(() => undefined);
    await eventually(() => share > 0.2);
    return { server, worker, place, to, making };
  }

  it('leaves nothing when it is cancelled, and the next one can be made', async (t) => {
    const command = new AbortController();
    const { server, worker, to, making } = await begun(t, command.signal);
    command.abort(new Error('enough'));
    await assert.rejects(making, /enough/);
    assert.ok(!existsSync(to));
    await worker.store.put('after', RAW, Buffer.from('after'));
    await server.storage.backUp({ to, bytesPerSecond: FAST });
    assert.equal((await contentOf(to, ['after'])).get('after'), 'after');
  });

  it('is cancelled by a close of the store, which does not wait for it', async (t) => {
    const { server, to, making } = await begun(t);
    const startedAtMs = performance.now();
    await server.storage.close();
    assert.ok(performance.now() - startedAtMs < 2000);
    await assert.rejects(making, cancelled(/cancelled: the store is being closed/));
    assert.ok(!existsSync(to));
    await server.storage.open();
  });

  it('is the only one at its time', async (t) => {
    const command = new AbortController();
    const { server, place, making } = await begun(t, command.signal);
    await assert.rejects(
      server.storage.backUp({ to: place('second'), bytesPerSecond: FAST }),
      refusal(/under way already/),
    );
    assert.ok(!existsSync(place('second')));
    command.abort(new Error('enough'));
    await assert.rejects(making, /enough/);
  });

  it('keeps the files that it still has to take, and frees them after', async (t) => {
    const command = new AbortController();
    const { server, worker, making } = await begun(t, command.signal);
    const [large = 0] = server.storage.entries.segments.keys();
    const path = join(server.directory.segmentsPath, segmentFileName(large));
    await worker.store.clear();
    await eventually(
      () => server.storage.entries.segments.get(large)?.state === SegmentState.dropping,
    );
    assert.ok(existsSync(path), 'the file is pinned');
    command.abort(new Error('enough'));
    await assert.rejects(making, /enough/);
    await eventually(() => !existsSync(path));
  });

  it('is taken for a store by nobody when its process was killed', async (t) => {
    const command = new AbortController();
    const { server, place, to, making } = await begun(t, command.signal);
    // As it lies there at the moment of a kill.
    await cp(to, place('killed'), { recursive: true });
    command.abort(new Error('enough'));
    await assert.rejects(making, /enough/);
    await assert.rejects(openDirectory(place('killed')), refusal(/no bigcache.json/));
    await assert.rejects(
      server.storage.backUp({ to: place('killed'), bytesPerSecond: FAST }),
      refusal(/a backup that was not finished; remove it/),
    );
  });

  it('leaves a directory that was there before, empty', async (t) => {
    const { server, worker, place } = await servedStore(t);
    await worker.store.put('key', RAW, Buffer.from('body'));
    await mkdir(place('mount'));
    const command = new AbortController();
    command.abort(new Error('enough'));
    const request = { to: place('mount'), bytesPerSecond: FAST, signal: command.signal };
    await assert.rejects(server.storage.backUp(request), /enough/);
    assert.deepEqual(readdirSync(place('mount')), []);
    await rm(place('mount'), { recursive: true });
  });

  it('says so when the place is taken away meanwhile', async (t) => {
    const { server, to, making } = await begun(t);
    await rm(to, { recursive: true });
    await assert.rejects(making, refusal(/the backup failed/));
    assert.ok(server.storage.isOpen);
    assert.ok(statSync(server.directory.path).isDirectory());
  });
});

async function* pieces(body: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000);
}

function openSegments({ storage }: Awaited<ReturnType<typeof servedStore>>['server']): number {
  const segments = [...storage.entries.segments.values()];
  return segments.filter(({ state }) => state === SegmentState.open).length;
}
