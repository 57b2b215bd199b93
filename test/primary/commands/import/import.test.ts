import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { cli } from '../../../../src/primary/cli.ts';
import { report } from '../../../../src/primary/commands/import/command.ts';
import {
  type ImportOptions,
  importOriginal,
} from '../../../../src/primary/commands/import/import-run.ts';
import { runRebuild } from '../../../../src/primary/commands/rebuild/command.ts';
import { DamagedStoreError } from '../../../../src/primary/directory/damaged-store.ts';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { quarantineStore } from '../../../../src/primary/directory/fresh-start.ts';
import { restoreOffline } from '../../../../src/primary/store/backup/restore.ts';
import { metaKey } from '../../../../src/primary/store/index/index-keys.ts';
import { BodyEncoder } from '../../../../src/segments/compression/body-encoder.ts';
import { DEFAULT_CONFIG } from '../../../default-config.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { SILENT, TestServer } from '../../../workers/store/segment-store-setup.ts';
import { SyncWatch } from '../../store/sync-watch.ts';
import { QUIET, readAll, recordIn, TRUST, withIndex } from '../stopped-store-setup.ts';

const MiB = 2 ** 20;

/** A database of the original with `entries` JSON entries `key/0`, `key/1`, ... */
async function writeOriginal(path: string, entries: number): Promise<void> {
  const level = new ClassicLevel<string, string>(path);
  for (let nth = 0; nth < entries; nth++) {
    await level.put(`key/${nth}`, `{"value":${nth},"expire":null,"duration":null}`);
  }
  await level.close();
}

async function importInto(
  store: string,
  from: string,
  more: Partial<ImportOptions> = {},
): ReturnType<typeof importOriginal> {
  const directory = await openDirectory(store);
  try {
    return await importOriginal({
      from,
      directory,
      settings: { ...DEFAULT_CONFIG, segmentBytes: 4 * MiB },
      bodyBytesMax: MiB,
      log: SILENT,
      now: Date.now,
      onProgress: () => undefined,
      shouldStop: () => false,
      ...more,
    });
  } finally {
    await directory.release();
  }
}

async function countIn(store: string): Promise<number> {
  const server = await TestServer.start(store);
  const count = await server.addWorker().store.count();
  await server.stop();
  return count;
}

/** Asks to stop once so many chunks are done; the first question comes before any. */
function stopAfter(chunks: number): () => boolean {
  let asked = 0;
  return () => {
    asked += 1;
    return asked > chunks;
  };
}

describe('an import', () => {
  it('compresses what it brings in, as the server does, unless it is told not to', async (t) => {
    const from = await temporaryDirectory(t);
    const level = new ClassicLevel<string, string>(from);
    const value = JSON.stringify('<p>a page of the original</p>'.repeat(200));
    await level.put('page', `{"value":${value},"expire":null,"duration":null}`);
    await level.close();
    for (const encoder of [new BodyEncoder(), undefined]) {
      const store = await temporaryDirectory(t);
      await importInto(store, from, encoder === undefined ? {} : { encoder });
      const { contentEncoding } = await recordIn(store, 'page');
      assert.equal(contentEncoding, encoder === undefined ? null : 'gzip');
      const found = await readAll(store, ['page']);
      assert.equal(found.get('page')?.toString(), value);
    }
  });

  it('stops before the first chunk when it is asked to', async (t) => {
    const [from, store] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    await writeOriginal(from, 300);
    const result = await importInto(store, from, { shouldStop: () => true });
    assert.deepEqual([result.isComplete, result.counts.json], [false, 0]);
  });

  it('brings every entry into the store and leaves no trace beside it', async (t) => {
    const [from, store] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    await writeOriginal(from, 700);
    const shares: number[] = [];
    const result = await importInto(store, from, { onProgress: (share) => shares.push(share) });
    assert.equal(result.counts.json, 700);
    assert.equal(result.isComplete, true);
    assert.ok(shares.every((share) => share >= 0 && share <= 1) && shares.length === 3);
    assert.equal(await countIn(store), 700);
    assert.deepEqual(
      (await readdir(store)).filter((name) => name.startsWith('.import')),
      [],
    );
  });

  it('goes on where it was interrupted, and counts everything once', async (t) => {
    const [from, store] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    await writeOriginal(from, 700);
    const first = await importInto(store, from, { shouldStop: stopAfter(1) });
    assert.deepEqual([first.isComplete, first.counts.json], [false, 256]);
    assert.match(report(first, store), /interrupted; run the same command again/);
    const second = await importInto(store, from);
    assert.deepEqual([second.isComplete, second.wasResumed, second.counts.json], [true, true, 700]);
    assert.equal(await countIn(store), 700);
  });

  it('does not go on with the import of another database', async (t) => {
    const store = await temporaryDirectory(t);
    const [one, other] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    await writeOriginal(one, 300);
    await writeOriginal(other, 10);
    await importInto(store, one, { shouldStop: stopAfter(1) });
    const result = await importInto(store, other);
    assert.deepEqual([result.wasResumed, result.counts.json], [false, 10]);
    assert.match(report(result, store), /not gone on with: it was of another database/);
  });

  it('does not go on where the store has other content than the import left there', async (t) => {
    const changes: Record<string, [(store: string, backup: string) => Promise<unknown>, RegExp?]> =
      {
        'a clear': [
          async (store) => {
            const server = await TestServer.start(store);
            await server.storage.clear();
            await server.stop();
          },
          /an earlier import was not gone on with: the store was cleared since; this one began anew/,
        ],
        'another store': [
          async (store) => {
            const path = join(store, 'bigcache.json');
            const identity = JSON.parse(await readFile(path, 'utf8'));
            await writeFile(path, JSON.stringify({ ...identity, instanceId: '00112233' }));
          },
          /it was into another store/,
        ],
        'a damaged note': [
          (store) => writeFile(join(store, '.import.json'), '{'),
          /cannot be read/,
        ],
        'lost changes': [
          (store) => withIndex(store, (index) => index.put(metaKey('recount'), Buffer.alloc(8))),
          /part of what it stored is lost/,
        ],
        'a restore': [
          (store, backup) => {
            const signal = AbortSignal.timeout(60_000);
            return restoreOffline(store, { from: backup, bytesPerSecond: 1e9, signal }, true);
          },
        ],
        'a rebuild': [(store) => runRebuild(store, TRUST, () => undefined, QUIET)],
        'a fresh start': [
          async (store) => {
            await quarantineStore(store, new DamagedStoreError('the index is damaged'), SILENT);
            await (await openDirectory(store)).release();
          },
        ],
      };
    const backup = await temporaryDirectory(t);
    await (await TestServer.start(backup)).stop();
    for (const [name, [change, told]] of Object.entries(changes)) {
      const [from, store] = [await temporaryDirectory(t), await temporaryDirectory(t)];
      await writeOriginal(from, 300);
      await importInto(store, from, { shouldStop: stopAfter(1) });
      assert.ok(existsSync(join(store, '.import.json')), name);
      await change(store, backup);
      const result = await importInto(store, from);
      assert.deepEqual([result.wasResumed, result.counts.json], [false, 300], name);
      if (told === undefined) assert.equal(result.ignored, undefined, name);
      else assert.match(report(result, store), told, name);
    }
  });

  it('has all on the disk before it notes how far it has come', async (t) => {
    const [from, store] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    await writeOriginal(from, 300);
    const settings = { ...DEFAULT_CONFIG, segmentBytes: 4 * MiB, durability: 'none' as const };
    const watch = await SyncWatch.begin(t);
    await importInto(store, from, { shouldStop: stopAfter(1), settings });
    const steps = watch.takeInOrder(store);
    const noted = steps.findIndex((name) => name.endsWith('.import.json.new'));
    assert.ok(noted > 0, steps.join('\n'));
    const before = steps.slice(0, noted);
    assert.ok(
      before.some((name) => name.endsWith('.seg')),
      before.join('\n'),
    );
    assert.ok(
      before.some((name) => /index\/\d+\.log$/.test(name)),
      before.join('\n'),
    );
  });

  it('says what it skipped, and why', async (t) => {
    const [from, store] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    await writeOriginal(from, 3);
    const level = new ClassicLevel<string, string>(from);
    await level.put('old', '{"value":1,"expire":1.0,"duration":null}');
    await level.close();
    const text = report(await importInto(store, from), '/store');
    assert.equal(
      text,
      '3 entries imported into /store: 3 JSON, 0 raw\n1 skipped: expired before the import\n',
    );
  });
});

describe('bigcache import', () => {
  async function refusal(...args: string[]): Promise<{ code: number; line: string }> {
    let line = '';
    const code = await cli(['import', ...args], {
      env: {},
      out: () => assert.fail('nothing is imported'),
      err: (text) => {
        line += text;
      },
      forked: false,
      serve: () => assert.fail('nothing is served'),
    });
    return { code, line };
  }

  it('needs to be told from where', async () => {
    const { code, line } = await refusal();
    assert.equal(code, 2);
    assert.match(line, /^bigcache: .*--from.*\n$/);
  });

  it('refuses a directory that holds no database of the original', async (t) => {
    const [store, missing] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    const empty = await temporaryDirectory(t);
    const ours = await temporaryDirectory(t);
    await writeFile(join(ours, 'bigcache.json'), '{}');
    const damaged = await temporaryDirectory(t);
    await mkdir(join(damaged, 'sub'));
    await writeFile(join(damaged, 'CURRENT'), 'MANIFEST-000007\n');
    const cases: [string, RegExp][] = [
      [join(missing, 'nowhere'), /there is no directory/],
      [empty, /no database of the original/],
      [ours, /a BigCache store already/],
      [damaged, /cannot be opened/],
    ];
    for (const [from, expected] of cases) {
      const { code, line } = await refusal('--from', from, '--db-path', store);
      assert.equal(code, 1);
      assert.match(line, expected);
      assert.equal(line.split('\n').length, 2);
    }
  });
});
