/** Rebuilding: what the segments hold comes back, the newest of each key, whatever became of the index. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runRebuild } from '../../../../src/primary/commands/rebuild/command.ts';
import { rebuildIndex } from '../../../../src/primary/commands/rebuild/rebuild-run.ts';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { openForRebuild } from '../../../../src/primary/directory/stopped-store.ts';
import { metaKey } from '../../../../src/primary/store/index/index-keys.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { pattern, RAW_META } from '../../../workers/store/store-subject.ts';
import {
  digests,
  filledStore,
  outcomeOf,
  PLAIN,
  plainStore,
  QUIET,
  readAll,
  recordIn,
  TRUST,
  withIndex,
} from '../stopped-store-setup.ts';
import { isSound, rebuild } from './rebuild-setup.ts';

const PLAIN_KEYS = [...Array.from({ length: 40 }, (_, nth) => `page/${nth}`), 'long'];

/** All entries of a plain store are there, with their bytes. */
async function hasPlainEntries(path: string): Promise<void> {
  const found = await readAll(path, PLAIN_KEYS);
  assert.deepEqual([...found.keys()], PLAIN_KEYS);
  for (const [nth, key] of PLAIN_KEYS.entries()) {
    assert.deepEqual(found.get(key), key === 'long' ? pattern(300_000) : pattern(1000, nth + 1));
  }
}

describe('an index is made anew', () => {
  const losses: Record<string, (path: string) => Promise<void>> = {
    'when index/ is gone': (path) => rm(join(path, 'index'), { recursive: true }),
    'when index/ is empty': async (path) => {
      await rm(join(path, 'index'), { recursive: true });
      await mkdir(join(path, 'index'));
    },
    'when CURRENT is gone': (path) => rm(join(path, 'index', 'CURRENT')),
    'when the MANIFEST is cut': async (path) => {
      const name = readdirSync(join(path, 'index')).find((file) => file.startsWith('MANIFEST'));
      await truncate(join(path, 'index', name ?? ''), 30);
    },
    'when bigcache.json is gone': (path) => rm(join(path, 'bigcache.json')),
    'when all of that is gone': async (path) => {
      await rm(join(path, 'bigcache.json'));
      await rm(join(path, 'index'), { recursive: true });
      await rm(join(path, 'quarantine'), { recursive: true });
    },
    'when nothing is wrong with the old one': async () => undefined,
  };
  for (const [name, lose] of Object.entries(losses)) {
    it(name, async (t) => {
      const path = await temporaryDirectory(t);
      await plainStore(path);
      await lose(path);
      const left = existsSync(join(path, 'index')) ? readdirSync(join(path, 'index')) : [];
      const hadIdentity = existsSync(join(path, 'bigcache.json'));
      const result = await rebuild(path);
      assert.equal(result.entries, 41);
      assert.equal(result.hasNewIdentity, !hadIdentity);
      assert.equal(result.oldIndex === undefined, left.length === 0);
      if (result.oldIndex !== undefined) {
        assert.match(result.oldIndex, /^index-\d+$/);
        const kept = readdirSync(join(path, 'quarantine', result.oldIndex));
        assert.deepEqual(kept.sort(), left.sort());
      }
      await isSound(path);
      await hasPlainEntries(path);
      await isSound(path);
    });
  }

  it('and a damaged bigcache.json is kept in quarantine, beside a new one', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await writeFile(join(path, 'bigcache.json'), '{"form');
    assert.equal((await rebuild(path)).hasNewIdentity, true);
    const kept = readdirSync(join(path, 'quarantine')).find((name) => /^\d+-bigcache/.test(name));
    assert.equal(readFileSync(join(path, 'quarantine', kept ?? ''), 'utf8'), '{"form');
    await isSound(path);
    await hasPlainEntries(path);
  });

  it('but never of a store that a newer version wrote', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 1);
    await writeFile(join(path, 'bigcache.json'), '{"format":2}');
    const before = await digests(path);
    await assert.rejects(openForRebuild(path), /format version 2, newer than this BigCache/);
    assert.deepEqual(await digests(path), before);
  });

  it('and takes writes again, under versions and segment ids that were never used', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const before = (await recordIn(path, 'page/1')).version;
    await writeFile(join(path, 'quarantine', '1700000000000-00000041.seg'), 'kept');
    await rebuild(path);
    const rebuilt = (await recordIn(path, 'page/1')).version;
    assert.ok(rebuilt > before);
    await filledStore(path, async ({ store }) => {
      const { version } = await store.put('page/1', RAW_META, pattern(5));
      assert.ok(version > rebuilt);
    });
    assert.equal((await recordIn(path, 'page/1')).pointer.segment, 42);
    await isSound(path);
  });
});

describe('a rebuild that was cut short', () => {
  it('by a signal has changed nothing', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const before = await digests(path);
    const directory = await openForRebuild(path);
    const options = { isTrusted: true, now: Date.now, onProgress: () => undefined };
    assert.equal(await rebuildIndex({ ...options, directory, shouldStop: () => true }), undefined);
    await directory.release();
    assert.deepEqual(await digests(path), before);
    await hasPlainEntries(path);
  });

  it('while it made the index is made good by the next', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await mkdir(join(path, '.index-new'));
    for (const name of readdirSync(join(path, 'index')).filter((file) => file !== 'LOCK')) {
      await copyFile(join(path, 'index', name), join(path, '.index-new', name));
    }
    await truncate(join(path, '.index-new', 'CURRENT'), 3);
    assert.equal((await rebuild(path)).entries, 41);
    await isSound(path);
    await hasPlainEntries(path);
  });

  it('between the two renames leaves no index, a refusal by name, and is made good by the next', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await rename(join(path, 'index'), join(path, 'quarantine', 'index-1'));
    await mkdir(join(path, '.index-new'));
    await assert.rejects(openDirectory(path), /holds segments but no index; .*bigcache rebuild/);
    assert.equal((await rebuild(path)).entries, 41);
    await isSound(path);
    await hasPlainEntries(path);
  });

  it('before bigcache.json was written is made good by the next', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await rebuild(path);
    await rm(join(path, 'bigcache.json'));
    await assert.rejects(openDirectory(path), /no bigcache\.json; .*bigcache rebuild/);
    assert.equal((await rebuild(path)).hasNewIdentity, true);
    await isSound(path);
    await hasPlainEntries(path);
  });

  it('follows a start that was cut short, whose safety copy must not come back', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await mkdir(join(path, '.index-aside'));
    await copyFile(join(path, 'index', 'CURRENT'), join(path, '.index-aside', 'CURRENT'));
    assert.equal((await rebuild(path)).entries, 41);
    await isSound(path);
    await hasPlainEntries(path);
  });
});

describe('bigcache rebuild', () => {
  it('refuses where there is nothing to make an index from', async (t) => {
    const path = await temporaryDirectory(t);
    const refuses = (place: string, message: RegExp): Promise<void> =>
      assert.rejects(
        runRebuild(place, PLAIN, () => undefined, QUIET),
        message,
      );
    await refuses(path, /there is no store in /);
    await filledStore(path, async () => undefined);
    await refuses(path, /holds no segments, so there is nothing to make an index from/);
    await writeFile(join(path, 'foreign.txt'), '');
    await refuses(path, /files that are not BigCache's/);
  });

  it('refuses a store that is in use', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 1);
    const holder = await openDirectory(path);
    await assert.rejects(
      runRebuild(path, PLAIN, () => undefined, QUIET),
      /in use by a running BigCache; stop that server first/,
    );
    await holder.release();
  });

  it('writes what it counts, and only what happened', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    const { code, out } = await outcomeOf((write) => runRebuild(path, TRUST, write, QUIET));
    assert.equal(code, 0);
    assert.match(
      out,
      new RegExp(
        '^4 entries in the new index of /.*, 0 of them expired\\n' +
          'read: 1 segments, 29\\d\\.\\d KiB, 4 appends\\n' +
          'the old index is in quarantine/index-\\d+\\n' +
          'deleted and purged entries may have come back as valid\\n$',
      ),
    );
    const clear = await withIndex(path, (index) => index.get(metaKey('clear')));
    assert.equal(clear?.readBigUInt64LE(0), 0n);
  });
});
