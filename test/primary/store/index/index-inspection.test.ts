/** What is found before LevelDB opens a damaged index, and what of it is let pass. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { pino } from 'pino';
import { openDirectory, type StoreDirectory } from '../../../../src/primary/directory/directory.ts';
import checkTables, { type CheckRequest } from '../../../../src/primary/jobs/check-tables.ts';
import { crc32c } from '../../../../src/primary/store/index/crc32c.ts';
import { IndexCheck } from '../../../../src/primary/store/index/index-check.ts';
import {
  INDEX_OPTIONS,
  type OpenedIndex,
  openIndexChecked,
} from '../../../../src/primary/store/index/index-files.ts';
import {
  DamagedFilesError,
  inspectIndex,
} from '../../../../src/primary/store/index/index-inspection.ts';
import { entryKey, metaKey } from '../../../../src/primary/store/index/index-keys.ts';
import { compareWithSeal, sealIndex } from '../../../../src/primary/store/index/index-seal.ts';
import { readManifest } from '../../../../src/primary/store/index/manifest.ts';
import { checkTable } from '../../../../src/primary/store/index/table-check.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';

type Test = Parameters<typeof temporaryDirectory>[0];

/** A closed index with a table of 500 entries, some of them deleted, and of everything else. */
async function made(t: Test): Promise<StoreDirectory> {
  const directory = await openDirectory(await temporaryDirectory(t));
  t.after(() => directory.release());
  const { index } = await openIndexChecked(directory);
  for (let nth = 0; nth < 500; nth++)
    await index.put(entryKey(`key ${nth}`), Buffer.alloc(80, nth));
  for (let nth = 0; nth < 500; nth += 7) await index.del(entryKey(`key ${nth}`));
  await index.close();
  await (await openIndexChecked(directory)).index.close();
  return directory;
}

function pathOf({ indexPath }: StoreDirectory, pattern: RegExp): string {
  const names = readdirSync(indexPath).filter((name) => pattern.test(name));
  return join(indexPath, names.at(-1) ?? '');
}

async function refuses(directory: StoreDirectory, what: RegExp): Promise<void> {
  await assert.rejects(inspectIndex(directory.indexPath), (error) => {
    assert.ok(error instanceof DamagedFilesError, String(error));
    assert.match(error.message, what);
    return true;
  });
}

describe('CRC-32C', () => {
  it('is that of the standard', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa);
    assert.equal(crc32c(Buffer.alloc(0)), 0);
  });
});

describe('a table of the index', () => {
  it('passes as LevelDB wrote it, and names what it is part of', async (t) => {
    const directory = await made(t);
    const { tables } = readManifest(readFileSync(pathOf(directory, /^MANIFEST/)));
    assert.ok(tables.size > 0);
    for (const [number, bytes] of tables) {
      const path = pathOf(directory, new RegExp(`^0*${number}\\.ldb$`));
      assert.equal(await checkTable(path, bytes, 'everything'), 0);
    }
    const found = await inspectIndex(directory.indexPath);
    assert.deepEqual(found, { lostInLogs: [], damagedTables: [], unchecked: [] });
  });

  it('with any bit flipped is refused, or LevelDB reads all of it without harm', async (t) => {
    const directory = await made(t);
    const path = pathOf(directory, /\.ldb$/);
    const sound = readFileSync(path);
    let [refused, passed] = [0, 0];
    for (let at = 0; at < sound.length; at += 13) {
      const bytes = Buffer.from(sound);
      bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << (at % 8)), at);
      writeFileSync(path, bytes);
      const damaged = await checkTable(path, bytes.length, 'everything').catch(() => undefined);
      if (damaged === undefined) refused += 1;
      else {
        // Between the handles in the footer and its magic stand bytes that nobody reads.
        if (at < sound.length - 48) assert.equal(damaged, 1, `the flip at ${at} is found`);
        passed += 1;
      }
    }
    assert.ok(refused > 0 && passed > refused, `${refused} refused, ${passed} passed`);
    // One that passed: LevelDB opens it, and its keys can be read to the end.
    const at = sound.indexOf(Buffer.alloc(60, 101));
    const bytes = Buffer.from(sound);
    bytes[at] = 0;
    writeFileSync(path, bytes);
    const { index, damagedTables } = await openIndexChecked(directory);
    assert.deepEqual(damagedTables, [basename(path)]);
    assert.equal((await index.keys().all()).length, 500 - Math.ceil(500 / 7) + 1);
    await index.close();
  });

  it('that another program compressed is let pass', async (t) => {
    const directory = await made(t);
    const other = new ClassicLevel<Buffer, Buffer>(directory.indexPath, {
      ...INDEX_OPTIONS,
      compression: true,
    });
    await other.open();
    await other.put(entryKey('more'), Buffer.alloc(50_000));
    await other.compactRange(Buffer.from([0]), Buffer.from([255]));
    await other.close();
    await inspectIndex(directory.indexPath);
  });
});

describe('the files of an index', () => {
  it('are refused when the log that the MANIFEST names is missing', async (t) => {
    const directory = await made(t);
    rmSync(pathOf(directory, /\.log$/));
    await refuses(directory, /its log \d+\.log is missing/);
  });

  it('are refused when CURRENT names a MANIFEST that is not there', async (t) => {
    const directory = await made(t);
    writeFileSync(join(directory.indexPath, 'CURRENT'), 'MANIFEST-000001\n');
    await refuses(directory, /CURRENT names MANIFEST-000001, which is missing/);
  });

  it('are refused when a table is longer or shorter than the MANIFEST says', async (t) => {
    const directory = await made(t);
    const path = pathOf(directory, /\.ldb$/);
    const sound = readFileSync(path);
    for (const bytes of [Buffer.concat([sound, Buffer.alloc(1)]), sound.subarray(1)]) {
      writeFileSync(path, bytes);
      await refuses(directory, /\.ldb: it has \d+ bytes instead of \d+/);
    }
  });

  it('are refused when zeros stand in the middle of the MANIFEST', async (t) => {
    const directory = await made(t);
    const path = pathOf(directory, /^MANIFEST/);
    const bytes = readFileSync(path);
    bytes.fill(0, 0, 20);
    writeFileSync(path, bytes);
    await refuses(directory, /MANIFEST-\d+: zeros at byte 0/);
  });
});

describe('the seal of a closed index', () => {
  it('finds every file that changed or is missing', async (t) => {
    const directory = await made(t);
    await sealIndex(directory.indexPath);
    assert.deepEqual(await compareWithSeal(directory.indexPath), { logs: [], others: [] });
    const log = pathOf(directory, /\.log$/);
    writeFileSync(log, 'longer than it was');
    const { logs } = await compareWithSeal(directory.indexPath);
    assert.match(logs.join(), /\.log, of 0 bytes, has 18 bytes/);
    rmSync(pathOf(directory, /\.ldb$/));
    const { others } = await compareWithSeal(directory.indexPath);
    assert.match(others.join(), /\.ldb is missing/);
  });

  it('is void when it is damaged, and when another program has opened the index', async (t) => {
    const directory = await made(t);
    await sealIndex(directory.indexPath);
    const seal = join(directory.indexPath, 'CLOSED');
    const text = readFileSync(seal, 'utf8');
    writeFileSync(seal, text.replace(/"bytes":(\d)/, '"bytes":9$1'));
    assert.deepEqual(await compareWithSeal(directory.indexPath), { logs: [], others: [] });
    writeFileSync(seal, text);
    const other = new ClassicLevel<Buffer, Buffer>(directory.indexPath, INDEX_OPTIONS);
    await other.open();
    await other.put(metaKey('count'), Buffer.alloc(8));
    await other.close();
    assert.deepEqual(await compareWithSeal(directory.indexPath), { logs: [], others: [] });
  });
});

describe('a large index', () => {
  /** As if its tables were too many to be checked before the open. */
  async function check(
    { indexPath }: StoreDirectory,
    tables: OpenedIndex['unchecked'],
  ): Promise<string[]> {
    const lines: string[] = [];
    const log = pino({ level: 'error' }, { write: (line: string) => lines.push(line) });
    const jobs = { checkTables: (request: CheckRequest) => checkTables(request) };
    const running = new IndexCheck({ jobs, indexPath, tables, log });
    writeFileSync(join(indexPath, 'CHECKING'), '1\n');
    running.start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await running.stop();
    return lines;
  }

  it('is checked while it is served; only a broken table is remembered for the next start', async (t) => {
    const directory = await made(t);
    const path = pathOf(directory, /\.ldb$/);
    const table = { name: basename(path), bytes: readFileSync(path).length };
    assert.deepEqual(await check(directory, [table, { name: '999999.ldb', bytes: 5 }]), []);
    assert.ok(!existsSync(join(directory.indexPath, 'CHECKING')));
    const bytes = readFileSync(path);
    // The first entry of the first block says how much it shares with nothing.
    bytes[0] = 5;
    writeFileSync(path, bytes);
    assert.match((await check(directory, [table])).join(), /the next start will refuse it/);
    assert.equal(readFileSync(join(directory.indexPath, 'CHECKING'), 'latin1'), '2\n');
  });

  it('is served before it is checked, unless two starts in a row have not come to check it', async (t) => {
    const { indexPath } = await made(t);
    const depths: string[] = [];
    for (let start = 0; start < 4; start++) {
      const { unchecked } = await inspectIndex(indexPath, { checkedFirstBytes: 0 });
      depths.push(unchecked.length > 0 ? 'served' : 'checked');
    }
    assert.deepEqual(depths, ['served', 'served', 'checked', 'served']);
  });

  it('is checked before it is served where it cannot be told how often it was not', async (t) => {
    const { indexPath } = await made(t);
    for (const text of ['', 'x\n', '22\n', '2\n']) {
      writeFileSync(join(indexPath, 'CHECKING'), text);
      const { unchecked } = await inspectIndex(indexPath, { checkedFirstBytes: 0 });
      assert.deepEqual(unchecked, [], text);
    }
  });
});
