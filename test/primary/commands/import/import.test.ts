import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { cli } from '../../../../src/primary/cli.ts';
import { report } from '../../../../src/primary/commands/import/command.ts';
import {
  type ImportOptions,
  importOriginal,
} from '../../../../src/primary/commands/import/import-run.ts';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { DEFAULT_CONFIG } from '../../../default-config.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { SILENT, TestServer } from '../../../workers/store/segment-store-setup.ts';

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

describe('an import', () => {
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
    const first = await importInto(store, from, { shouldStop: () => true });
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
    await importInto(store, one, { shouldStop: () => true });
    const result = await importInto(store, other);
    assert.deepEqual([result.wasResumed, result.counts.json], [false, 10]);
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
