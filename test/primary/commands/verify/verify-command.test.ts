/** `bigcache verify` as a command line runs it: what it says, what it refuses, what it leaves. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { copyFile, mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runVerify } from '../../../../src/primary/commands/verify/command.ts';
import { verifyStore } from '../../../../src/primary/commands/verify/verify-run.ts';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { openToVerify } from '../../../../src/primary/directory/stopped-store.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import {
  digests,
  leftovers,
  outcomeOf,
  plainStore,
  QUIET,
  segmentPath,
  withIndex,
} from '../stopped-store-setup.ts';
import { finds, verify } from './verify-setup.ts';

describe('bigcache verify', () => {
  it('reports in lines that fit a screen, however much is damaged', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 100);
    await truncate(segmentPath(path, 1), 5000);
    const { code, out } = await outcomeOf((write) =>
      runVerify(path, { fast: false, json: false }, write, QUIET),
    );
    assert.equal(code, 3);
    assert.match(out, /^store {5}\/.*\nentries {3}101 readable, 0 expired, 0 purged; /);
    assert.match(out, /^problem {3}append-missing, \d\d: records that point to no sound append/m);
    assert.match(out, /^ {4}and \d\d more\ndamaged: \d\d problems\n$/m);
    assert.ok(out.split('\n').length < 40);
  });

  it('refuses a store that is in use, and says what to do', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 1);
    const holder = await openDirectory(path);
    await assert.rejects(
      runVerify(path, { fast: false, json: false }, () => undefined, QUIET),
      /in use by a running BigCache; stop that server, or verify a backup/,
    );
    await holder.release();
  });

  it('refuses a place without a store, and makes none', async (t) => {
    const path = await temporaryDirectory(t);
    for (const place of [path, join(path, 'nowhere')]) {
      await assert.rejects(
        runVerify(place, { fast: false, json: false }, () => undefined, QUIET),
        /there is no store in /,
      );
    }
    assert.deepEqual(readdirSync(path), []);
  });

  it('finds damage, with 3, where a start would not take the directory for a whole store', async (t) => {
    const losses: Record<string, [(path: string) => Promise<void>, string[]]> = {
      'no index': [
        (path) => rm(join(path, 'index'), { recursive: true }),
        ['store-damaged', 'index-unreadable'],
      ],
      'an empty index': [
        async (path) => {
          await rm(join(path, 'index'), { recursive: true });
          await mkdir(join(path, 'index'));
        },
        ['store-damaged', 'index-unreadable'],
      ],
      'no segments': [
        (path) => rm(join(path, 'segments'), { recursive: true }),
        ['segment-missing'],
      ],
      'no bigcache.json': [(path) => rm(join(path, 'bigcache.json')), ['store-damaged']],
      'a damaged bigcache.json': [
        (path) => writeFile(join(path, 'bigcache.json'), '{"format":'),
        ['store-damaged'],
      ],
    };
    for (const [name, [lose, kinds]] of Object.entries(losses)) {
      const path = await temporaryDirectory(t);
      await plainStore(path, 3);
      await lose(path);
      const before = await digests(path);
      const { code, problems } = await verify(path);
      assert.equal(code, 3, name);
      assert.deepEqual(Object.keys(problems), kinds, name);
      assert.deepEqual(await digests(path), before, name);
    }
  });

  it('stops while it looks the tables of the index over', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    // Its log becomes a table.
    await withIndex(path, async () => undefined);
    const directory = await openToVerify(path);
    const stages: string[] = [];
    const result = await verifyStore({
      directory,
      readsBodies: true,
      now: Date.now,
      onProgress: (stage) => stages.push(stage),
      shouldStop: () => true,
    });
    await directory.release();
    assert.deepEqual([result.isComplete, result.findings.problems, stages], [false, [], []]);
    assert.deepEqual(await leftovers(path), []);
  });

  it('removes what a killed run left behind', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 1);
    await mkdir(join(path, '.index-look'));
    await writeFile(join(path, '.index-look', 'CURRENT'), 'rubbish');
    await finds(path, {});
    assert.deepEqual(await leftovers(path), []);
  });

  it('looks at the safety copy where a start died while it opened the index', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    await mkdir(join(path, '.index-aside'));
    for (const name of readdirSync(join(path, 'index'))) {
      if (name === 'LOCK') continue;
      await copyFile(join(path, 'index', name), join(path, '.index-aside', name));
      await rm(join(path, 'index', name));
    }
    await writeFile(join(path, 'index', 'CURRENT'), 'MANIFEST-000099\n');
    const { document } = await finds(path, {});
    assert.equal(document.records?.['readable'], 6);
  });

  it('stops where it is asked to, and does not call the rest sound', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    const directory = await openToVerify(path);
    let asked = 0;
    const result = await verifyStore({
      directory,
      readsBodies: true,
      now: Date.now,
      onProgress: () => undefined,
      shouldStop: () => {
        asked += 1;
        return asked > 2;
      },
    });
    assert.equal(result.isComplete, false);
    await directory.release();
    assert.deepEqual(await leftovers(path), []);
  });
});
