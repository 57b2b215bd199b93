/** What a restore brings back, what it refuses before it touches anything, and under a running server. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import {
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { claimDirectory } from '../../../../src/primary/directory/owner.ts';
import {
  type RestoreRequest,
  restoreOffline,
  restoreOnline,
} from '../../../../src/primary/store/backup/restore.ts';
import { SegmentState } from '../../../../src/primary/store/segment-stats.ts';
import { segmentFileName } from '../../../../src/segments/format.ts';
import { eventually } from '../../../eventually.ts';
import { TestServer } from '../../../workers/store/segment-store-setup.ts';
import { flip } from '../../commands/stopped-store-setup.ts';
import { openIndex } from '../index/open-index.ts';
import { contentOf, FAST, RAW, readBody, servedStore } from './backup-setup.ts';

type Test = Parameters<typeof servedStore>[0];

const request = (from: string): RestoreRequest => ({
  from,
  bytesPerSecond: FAST,
  signal: new AbortController().signal,
});
const refusal = (pattern: RegExp): { name: RegExp; message: RegExp } => ({
  name: /^(CannotRunError|DamagedStoreError)$/,
  message: pattern,
});

/** A served store of two entries, with its backup. */
async function backedUp(t: Test) {
  const { server, worker, place } = await servedStore(t);
  await worker.store.put('kept', RAW, Buffer.from('as backed up'));
  await worker.store.put('changed', RAW, Buffer.from('before'));
  const backup = place('backup');
  await server.storage.backUp({ to: backup, bytesPerSecond: FAST });
  const onDrop = (segment: number): void => server.dropSegment(segment);
  const restore = (from = backup) =>
    restoreOnline({ storage: server.storage, directory: server.directory, onDrop }, request(from));
  return { server, worker, place, backup, restore };
}

/** Every file below a directory with the hash of its content. */
function filesOf(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(path, name)).isFile())
    .map(
      (name) =>
        `${name} ${createHash('sha256')
          .update(readFileSync(join(path, name)))
          .digest('hex')}`,
    )
    .sort();
}

const nameIn = async (backup: string, pattern: RegExp): Promise<string> => {
  const name = (await readdir(join(backup, 'index'))).find((file) => pattern.test(file));
  assert.ok(name !== undefined, `there is a file ${pattern}`);
  return name;
};

const idOf = async (path: string): Promise<string> =>
  JSON.parse(await readFile(join(path, 'bigcache.json'), 'utf8')).instanceId;

describe('a restore into a directory without a server', () => {
  it('makes a missing directory the store of the backup, with an id of its own', async (t) => {
    const { backup, place } = await backedUp(t);
    const before = filesOf(backup);
    const result = await restoreOffline(place('new'), request(backup), false);
    assert.equal(result.entries, 2);
    assert.equal(result.replaced, undefined);
    const ids = [await idOf(place('store')), await idOf(backup), await idOf(place('new'))];
    assert.equal(new Set(ids).size, 3);
    const content = await contentOf(place('new'), ['kept', 'changed']);
    assert.deepEqual([...content.values()], ['as backed up', 'before']);
    assert.deepEqual(filesOf(backup), before, 'the backup is as it was');
  });

  it('moves the store that is there to quarantine, when told to, and can bring that back', async (t) => {
    const { backup, place, server, worker } = await backedUp(t);
    await worker.store.put('changed', RAW, Buffer.from('after'));
    await server.stop();
    const store = place('store');
    await assert.rejects(restoreOffline(store, request(backup), false), refusal(/--replace/));
    const { replaced = '' } = await restoreOffline(store, request(backup), true);
    assert.equal((await contentOf(store, ['changed'])).get('changed'), 'before');
    assert.match(replaced, /quarantine\/before-restore-\d+$/);
    await restoreOffline(store, request(replaced), true);
    assert.equal((await contentOf(store, ['changed'])).get('changed'), 'after');
  });

  it('takes the place of a damaged store, and of one killed in the middle of its opening', async (t) => {
    const { backup, place, server } = await backedUp(t);
    await server.stop();
    const store = place('store');
    await rename(join(store, 'index'), join(store, '.index-aside'));
    await rm(join(store, 'bigcache.json'));
    await restoreOffline(store, request(backup), true);
    assert.equal((await contentOf(store, ['kept'])).get('kept'), 'as backed up');
  });

  it('refuses files of others, a store in use, and the store itself', async (t) => {
    const { backup, place } = await backedUp(t);
    await mkdir(place('home'));
    await writeFile(join(place('home'), 'letter.txt'), 'dear');
    await assert.rejects(restoreOffline(place('home'), request(backup), true), refusal(/letter/));
    await assert.rejects(restoreOffline(place('store'), request(backup), true), refusal(/in use/));
    await assert.rejects(
      restoreOffline(backup, request(backup), true),
      refusal(/the store itself/),
    );
    await assert.rejects(
      restoreOffline(place('new'), request(place('none')), false),
      refusal(/there is no directory/),
    );
    assert.ok(!existsSync(place('new')));
  });
});

describe('a backup that is not whole', () => {
  /** Each with what is done to the backup, and the refusal. */
  const DAMAGES: Readonly<Record<string, [(backup: string) => Promise<unknown>, RegExp]>> = {
    'without bigcache.json': [(b) => rm(join(b, 'bigcache.json')), /is no backup/],
    'of a newer format': [
      (b) => writeFile(join(b, 'bigcache.json'), '{"format":2,"instanceId":"00112233"}'),
      /newer than this BigCache reads/,
    ],
    'with a damaged bigcache.json': [(b) => writeFile(join(b, 'bigcache.json'), '{'), /is damaged/],
    'without CURRENT': [(b) => rm(join(b, 'index', 'CURRENT')), /no file CURRENT/],
    'without its index': [
      (b) => rm(join(b, 'index'), { recursive: true }),
      /segments but no index|no file CURRENT/,
    ],
    'with a cut MANIFEST': [
      async (b) => {
        const name = (await readdir(join(b, 'index'))).find((file) => file.startsWith('MANIFEST'));
        await truncate(join(b, 'index', name ?? ''), 10);
      },
      /the index of the backup cannot be used/,
    ],
    'without its log': [
      async (b) => {
        for (const name of await readdir(join(b, 'index'))) {
          if (/\.(log|ldb)$/.test(name)) await unlink(join(b, 'index', name));
        }
      },
      /the index of the backup cannot be used/,
    ],
    'without the log that it had beside a table': [
      async (b) => {
        const directory = await openDirectory(b);
        // The log becomes a table, and what comes after is in the log alone.
        const index = await openIndex(directory);
        const versions = await index.get(Buffer.from('mversions'));
        await index.del(Buffer.from('mversions'));
        await index.close();
        await (await openIndex(directory)).close();
        const again = await openIndex(directory);
        await again.put(Buffer.from('mversions'), versions ?? Buffer.alloc(8));
        await again.close();
        await directory.release();
        for (const name of await readdir(join(b, 'index'))) {
          if (name.endsWith('.log')) await unlink(join(b, 'index', name));
        }
      },
      /the index of the backup cannot be used: its log \d+\.log is missing/,
    ],
    'with a damaged place in its log': [
      async (b) => {
        const name = await nameIn(b, /\.log$/);
        await flip(join(b, 'index', name), (await stat(join(b, 'index', name))).size - 20);
      },
      /the index of the backup cannot be used: \d+ bytes of \d+\.log are damaged/,
    ],
    'with a cut log': [
      async (b) => {
        const name = await nameIn(b, /\.log$/);
        await truncate(join(b, 'index', name), 60);
      },
      /what it opens with is not what was stored/,
    ],
    'whose server was stopped, with a log that has lost its end': [
      async (b) => {
        await (await TestServer.start(b)).stop();
        const name = await nameIn(b, /\.log$/);
        await truncate(join(b, 'index', name), (await stat(join(b, 'index', name))).size - 30);
      },
      /the index of the backup cannot be used: its file \d+\.log, of \d+ bytes, has \d+ bytes/,
    ],
    'with damaged records in a table': [
      async (b) => {
        const server = await TestServer.start(b);
        const { store } = server.addWorker();
        // So many that the first block of the table is of entries alone.
        for (let nth = 0; nth < 200; nth++) await store.put(`a/${nth}`, RAW, Buffer.from('a'));
        await server.stop();
        await (await TestServer.start(b)).stop();
        await rm(join(b, 'index', 'CLOSED'));
        let damaged = 0;
        for (const name of await readdir(join(b, 'index'))) {
          const at = (await readFile(join(b, 'index', name))).indexOf(Buffer.from('a/0'));
          if (!name.endsWith('.ldb') || at < 0) continue;
          await flip(join(b, 'index', name), at + 30);
          damaged += 1;
        }
        assert.equal(damaged, 1);
      },
      /the index of the backup cannot be used: damaged records in \d+\.ldb/,
    ],
    'without a segment': [
      async (b) => {
        const [name = ''] = await readdir(join(b, 'segments'));
        await unlink(join(b, 'segments', name));
      },
      /segments\/\d+\.seg is missing/,
    ],
    'with a cut segment': [
      async (b) => {
        const [name = ''] = await readdir(join(b, 'segments'));
        await truncate(join(b, 'segments', name), 100);
      },
      /segments\/\d+\.seg is cut/,
    ],
    'with files of others': [(b) => writeFile(join(b, 'notes.txt'), 'mine'), /not BigCache's/],
    'left in the middle of a start': [
      (b) => mkdir(join(b, '.index-aside')),
      /in the middle of a start/,
    ],
  };

  for (const [name, [damage, message]] of Object.entries(DAMAGES)) {
    it(`(${name}) is refused before anything is touched`, async (t) => {
      const { backup, place, server } = await backedUp(t);
      await server.stop();
      await damage(backup);
      const [store, was] = [filesOf(place('store')), filesOf(backup)];
      await assert.rejects(restoreOffline(place('store'), request(backup), true), refusal(message));
      assert.deepEqual(filesOf(place('store')), store);
      assert.deepEqual(filesOf(backup), was);
    });
  }

  it('(in use by a server) is refused', async (t) => {
    const { backup, place } = await backedUp(t);
    const release = await claimDirectory(backup);
    await assert.rejects(restoreOffline(place('new'), request(backup), false), refusal(/in use/));
    await release();
  });

  it('whose store had lost a segment already is restored with what there was', async (t) => {
    const { server, worker, place, restore } = await backedUp(t);
    await worker.segments.sealAll();
    await eventually(() => worker.segments.isIdle);
    const [id = 0] = server.storage.entries.segments.keys();
    await unlink(join(server.directory.segmentsPath, segmentFileName(id)));
    await worker.store.put('new', RAW, Buffer.from('new'));
    await server.storage.backUp({ to: place('second'), bytesPerSecond: FAST });
    await restore(place('second'));
    assert.equal((await readBody(worker, 'new'))?.toString(), 'new');
  });
});

describe('a restore under a running server', () => {
  it('shows every worker the entries of the backup, and goes on from there', async (t) => {
    const { server, worker, restore } = await backedUp(t);
    const other = server.addWorker();
    await worker.store.put('changed', RAW, Buffer.from('after'));
    const last = await worker.store.put('added', RAW, Buffer.from('added'));
    for (const key of ['kept', 'changed', 'added']) await readBody(other, key);
    const segments = [...server.storage.entries.segments.keys()];
    const id = server.directory.instanceId;
    const result = await restore();
    assert.ok(result.closedMs > 0);
    for (const one of [worker, other]) {
      assert.equal((await readBody(one, 'kept'))?.toString(), 'as backed up');
      assert.equal((await readBody(one, 'changed'))?.toString(), 'before');
      assert.equal(await readBody(one, 'added'), undefined);
      assert.deepEqual(one.damaged, []);
    }
    const next = await worker.store.put('added', RAW, Buffer.from('again'));
    assert.ok(next.version > last.version, 'no version is given twice');
    const granted = [...server.storage.entries.segments.keys()].at(-1) ?? 0;
    assert.ok(granted > Math.max(...segments), 'no segment id is given twice');
    assert.equal(await idOf(server.directory.path), id);
  });

  it('reads no body of the old store, whose segments have the same names', async (t) => {
    const { server, worker, place, restore } = await backedUp(t);
    // Another store, with other bodies at the same places of the same files.
    const foreign = await TestServer.start(place('foreign'));
    const writer = foreign.addWorker();
    await writer.store.put('kept', RAW, Buffer.from('of a stranger'.slice(0, 12)));
    await foreign.storage.backUp({ to: place('other'), bytesPerSecond: FAST });
    await foreign.stop();
    await worker.segments.sealAll();
    await eventually(() => worker.segments.isIdle);
    assert.equal((await readBody(worker, 'kept'))?.toString(), 'as backed up');
    await restore(place('other'));
    assert.equal((await readBody(worker, 'kept'))?.toString(), 'of a strange');
    assert.deepEqual(worker.damaged, []);
    assert.ok(server.storage.isOpen);
  });

  it('answers reads and writes meanwhile, with what is right or STORE_CLOSED', async (t) => {
    const { worker, server, restore } = await backedUp(t);
    const other = server.addWorker();
    const bodies = new Set(['as backed up']);
    let [isOver, answered, refused] = [false, 0, 0];
    const reading = (async () => {
      while (!isOver) {
        try {
          const body = await readBody(other, 'kept');
          assert.ok(body !== undefined && bodies.has(body.toString()), 'never wrong, never lost');
          answered += 1;
          // A hit out of a held record waits for nothing, and others must come to their turn.
          await new Promise((resolve) => setImmediate(resolve));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'STORE_CLOSED');
          refused += 1;
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
    })();
    for (let round = 0; round < 5; round++) {
      await worker.store.put('large', RAW, randomBytes(2 * 1024 * 1024));
      await restore();
    }
    isOver = true;
    await reading;
    t.diagnostic(`${answered} reads answered, ${refused} refused`);
    assert.ok(answered > 0);
  });

  it('leaves the store as it is when the backup is not whole', async (t) => {
    const { worker, backup, restore, server } = await backedUp(t);
    await worker.store.put('changed', RAW, Buffer.from('after'));
    await rm(join(backup, 'bigcache.json'));
    await assert.rejects(restore(), refusal(/is no backup/));
    assert.equal((await readBody(worker, 'changed'))?.toString(), 'after');
    assert.deepEqual(readdirSync(server.directory.quarantinePath), []);
  });

  it('is undone when the restored store cannot be opened', async (t) => {
    const { worker, server } = await backedUp(t);
    const { indexPath, path } = server.directory;
    const change = {
      apply: () => rename(indexPath, join(path, '.elsewhere')),
      undo: () => rename(join(path, '.elsewhere'), indexPath),
    };
    await assert.rejects(server.storage.replaceFiles(change));
    assert.ok(server.storage.isOpen);
    assert.equal((await readBody(worker, 'kept'))?.toString(), 'as backed up');
  });

  it('is refused while the store is closed', async (t) => {
    const { server, restore } = await backedUp(t);
    await server.storage.close();
    await assert.rejects(restore(), refusal(/the store is closed; open it/));
    assert.ok(!server.storage.isOpen);
  });

  it('serves a store that is sealed where the backup found it open', async (t) => {
    const { server, restore } = await backedUp(t);
    await restore();
    const states = [...server.storage.entries.segments.values()].map(({ state }) => state);
    assert.ok(states.length > 0 && states.every((state) => state === SegmentState.sealed));
  });
});
