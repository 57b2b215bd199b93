/** Compacting: the index shrinks, keeps every entry, tells how far it is, and can be interrupted. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { readdir, rmdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { report, runCompact } from '../../../../src/primary/commands/compact/command.ts';
import { compactStore } from '../../../../src/primary/commands/compact/compact-run.ts';
import { whileStopped } from '../../../../src/primary/commands/failures.ts';
import { openDirectory, type StoreDirectory } from '../../../../src/primary/directory/directory.ts';
import { openStoppedStore } from '../../../../src/primary/directory/stopped-store.ts';
import { stretchesOf } from '../../../../src/primary/store/index/index-compaction.ts';
import { inspectIndex } from '../../../../src/primary/store/index/index-inspection.ts';
import { decodeNumber, metaKey } from '../../../../src/primary/store/index/index-keys.ts';
import {
  readStoredState,
  VERSIONS_PER_EPOCH,
} from '../../../../src/primary/store/index/stored-state.ts';
import { eventually } from '../../../eventually.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { TestServer } from '../../../workers/store/segment-store-setup.ts';
import { openedIndex } from '../../store/store-setup.ts';
import { flip, outcomeOf, plainStore, QUIET, readAll, withIndex } from '../stopped-store-setup.ts';

/** Keys with a long common beginning, as a site's pages have them. */
const keyOf = (nth: number): Buffer =>
  Buffer.from(`ehttps://example.org/page/${String(nth).padStart(8, '0')}`);

describe('the compaction of a store', () => {
  it('gives back what deleted records took, and keeps the others', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 20);
    await withIndex(path, async (index) => {
      for (let nth = 0; nth < 20_000; nth++) await index.put(keyOf(nth), Buffer.alloc(200, nth));
      for (let nth = 0; nth < 20_000; nth++) await index.del(keyOf(nth));
    });
    const shares: number[] = [];
    const directory = await openStoppedStore(path);
    const result = await compactStore({
      directory,
      onProgress: (share) => shares.push(share),
      shouldStop: () => false,
    });
    await directory.release();
    assert.equal(result.isComplete, true);
    assert.ok(result.bytesBefore > 4e6, `${result.bytesBefore}`);
    assert.ok(result.bytesAfter < 100_000, `${result.bytesAfter}`);
    assert.equal(shares.at(-1), shares.length === 0 ? undefined : 1);
    assert.equal((await readAll(path, ['page/7', 'long'])).size, 2);
  });

  it('stops between two stretches when it is asked to, and says so', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    const directory = await openStoppedStore(path);
    const options = { directory, onProgress: () => undefined, shouldStop: () => true };
    const result = await compactStore(options);
    await directory.release();
    assert.equal(result.isComplete, false);
    assert.match(report(result), /\ninterrupted; run the same command again to go on\n$/);
    assert.equal((await readAll(path, ['page/1'])).size, 1);
  });

  it('reports the size before and after', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    const { code, out } = await outcomeOf((write) => runCompact(path, write, QUIET));
    assert.equal(code, 0);
    assert.match(out, /^the index of \/.* had \d.* (Ki)?B, has \d.* (Ki)?B\n$/);
  });

  it('leaves the index sealed, as a server does', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    await outcomeOf((write) => runCompact(path, write, QUIET));
    const index = join(path, 'index');
    const names = await readdir(index);
    assert.ok(names.includes('CLOSED') && !names.includes('CHECKING'));
    const log = names.find((name) => name.endsWith('.log')) ?? '';
    const { size } = await stat(join(index, log));
    assert.ok(size > 0);
    await truncate(join(index, log), 0);
    const { lostInLogs } = await inspectIndex(index);
    assert.equal(lostInLogs.length, 1, 'the loss is found by the seal');
  });

  it('says what a damaged log has lost, and has the next start count again', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    const versions = await withIndex(path, (index) => index.get(metaKey('versions')));
    await withIndex(path, async (index) => {
      await index.put(metaKey('hand'), Buffer.from('somewhere'));
      await index.put(Buffer.from('ekey'), Buffer.alloc(100));
    });
    const log = (await readdir(join(path, 'index'))).find((name) => name.endsWith('.log')) ?? '';
    const file = join(path, 'index', log);
    await flip(file, (await stat(file)).size - 20);
    const { code, out } = await outcomeOf((write) => runCompact(path, write, QUIET));
    assert.equal(code, 3);
    assert.match(out, /^part of the log of the index was damaged \(LevelDB dropped \d+ bytes/m);
    await withIndex(path, async (index) => {
      const state = await readStoredState(index);
      assert.equal(state.countsAreSure, false);
      assert.equal(state.handPosition, undefined, 'what the hand removed may be back');
      const before = decodeNumber('versions', versions, 0);
      assert.ok(state.versions > before + VERSIONS_PER_EPOCH, 'an epoch is left out');
    });
    const server = await TestServer.start(path);
    await eventually(() => server.storage.entries.countsAreSure);
    assert.equal(server.storage.entries.count, 6);
    await server.stop();
  });

  it('says so in one line when LevelDB cannot write a table', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 20);
    await withIndex(path, async (index) => {
      for (let nth = 0; nth < 100; nth++) await index.put(keyOf(nth), Buffer.alloc(200));
    });
    const work = (directory: StoreDirectory) =>
      compactStore({
        directory,
        onProgress: () => assert.fail('no stretch is done'),
        // Once the index is open, folders stand where the next tables would be written.
        shouldStop: () => {
          for (let number = 1; number < 100; number++) {
            const name = `${String(number).padStart(6, '0')}.ldb`;
            if (!existsSync(join(path, 'index', name))) mkdirSync(join(path, 'index', name));
          }
          return false;
        },
      });
    await assert.rejects(
      whileStopped(() => openStoppedStore(path), 'stop it', work),
      {
        name: 'CannotRunError',
        message: /^the command stopped: IO error: .*\.ldb: Is a directory$/,
      },
    );
    for (const name of await readdir(join(path, 'index'), { withFileTypes: true })) {
      if (name.isDirectory()) await rmdir(join(path, 'index', name.name));
    }
    assert.equal((await readAll(path, ['page/1', 'long'])).size, 2);
  });

  it('is refused while a server runs', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 1);
    const holder = await openDirectory(path);
    await assert.rejects(
      runCompact(path, () => undefined, QUIET),
      /in use by a running BigCache; stop that server first/,
    );
    await holder.release();
  });
});

describe('the stretches of an index', () => {
  it('cover all keys without a gap, each of about the size asked for, however alike the keys', async (t) => {
    const { index } = await openedIndex(t);
    for (let from = 0; from < 60_000; from += 1000) {
      const puts = Array.from({ length: 1000 }, (_, nth) => {
        const value = Buffer.alloc(100, from + nth);
        return { type: 'put', key: keyOf((from + nth) * 7), value } as const;
      });
      await index.batch(puts);
    }
    // What is in the log still counts as nothing.
    await index.compactRange(Buffer.alloc(0), Buffer.from([0xff]));
    const most = 500_000;
    const stretches = await stretchesOf(index, most);
    assert.ok(stretches.length >= 10, `${stretches.length} stretches`);
    assert.equal(stretches[0]?.start.length, 0);
    assert.deepEqual(stretches.at(-1)?.end, Buffer.from([0xff]));
    for (const [at, { end, bytes }] of stretches.entries()) {
      assert.ok(bytes <= 2 * most, `${bytes} bytes`);
      const next = stretches[at + 1];
      if (next !== undefined) assert.deepEqual(next.start, end);
    }
  });

  it('are one in an index without tables', async (t) => {
    const { index } = await openedIndex(t);
    assert.equal((await stretchesOf(index)).length, 1);
  });
});
