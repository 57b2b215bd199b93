/** `--on-corruption fresh`: a damaged store goes to quarantine whole, by renames, and not for ever. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Logger, pino } from 'pino';
import { DamagedStoreError } from '../../../src/primary/directory/damaged-store.ts';
import { openDirectory, reenterDirectory } from '../../../src/primary/directory/directory.ts';
import { quarantineStore } from '../../../src/primary/directory/fresh-start.ts';
import { reportQuarantine } from '../../../src/primary/directory/quarantine-report.ts';
import { openForRebuild } from '../../../src/primary/directory/stopped-store.ts';
import { CannotRunError } from '../../../src/primary/exit.ts';
import { restoreOffline } from '../../../src/primary/store/backup/restore.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer } from '../../workers/store/segment-store-setup.ts';

type Test = Parameters<typeof temporaryDirectory>[0];
const DAMAGE = new DamagedStoreError('the index is damaged');
const HOUR_MS = 3_600_000;

/** What the log was told. */
function recorder(): { log: Logger; lines: { level: number; msg: string }[] } {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { log, lines };
}

/** A store with a file in each of its places. */
async function madeStore(t: Test): Promise<string> {
  const path = await temporaryDirectory(t);
  const directory = await openDirectory(path);
  await directory.release();
  writeFileSync(join(path, 'index', 'CURRENT'), 'MANIFEST-000001\n');
  writeFileSync(join(path, 'segments', '00000001.seg'), 'body');
  writeFileSync(join(path, 'reserve'), 'room');
  return path;
}

const damagedStores = (path: string): string[] =>
  readdirSync(join(path, 'quarantine')).filter((name) => name.startsWith('damaged-'));

describe('a fresh start', () => {
  it('moves every part of the damaged store to quarantine and begins an empty one', async (t) => {
    const path = await madeStore(t);
    const before = await openDirectory(path);
    const { log, lines } = recorder();
    await quarantineStore(path, DAMAGE, log);
    const after = await reenterDirectory(before);
    t.after(() => after.release());
    assert.ok(after.isNew);
    assert.notEqual(after.instanceId, before.instanceId);
    const [name = ''] = damagedStores(path);
    const kept = join(path, 'quarantine', name);
    assert.deepEqual(readdirSync(kept).sort(), ['bigcache.json', 'index', 'reserve', 'segments']);
    assert.equal(readFileSync(join(kept, 'segments', '00000001.seg'), 'utf8'), 'body');
    assert.deepEqual([readdirSync(after.indexPath), readdirSync(after.segmentsPath)], [[], []]);
    assert.deepEqual([lines.length, lines[0]?.level], [1, 50], 'it is an error in the log');
  });

  it('that died in its middle is finished by the next start, whatever that one is told', async (t) => {
    for (const moved of [
      ['index'],
      ['index', 'segments'],
      ['index', 'segments', 'bigcache.json'],
    ]) {
      const path = await madeStore(t);
      mkdirSync(join(path, '.damaged-123'));
      for (const part of moved) renameSync(join(path, part), join(path, '.damaged-123', part));
      const directory = await openDirectory(path);
      await directory.release();
      assert.ok(directory.isNew);
      assert.deepEqual(damagedStores(path), ['damaged-123']);
      assert.equal(readdirSync(join(path, 'quarantine', 'damaged-123')).length, 4);
    }
  });

  it('that died in its middle is finished by a command too, before it looks at the store', async (t) => {
    const path = await madeStore(t);
    mkdirSync(join(path, '.damaged-123'));
    renameSync(join(path, 'index'), join(path, '.damaged-123', 'index'));
    const { bytesPerSecond, signal } = { bytesPerSecond: 1e9, signal: AbortSignal.timeout(60_000) };
    const backup = await temporaryDirectory(t);
    await (await TestServer.start(backup)).stop();
    await restoreOffline(path, { from: backup, bytesPerSecond, signal }, false);
    const directory = await openDirectory(path);
    await directory.release();
    assert.ok(!directory.isNew);
    assert.equal(readdirSync(join(path, 'quarantine', 'damaged-123')).length, 4);
    const other = await madeStore(t);
    mkdirSync(join(other, '.damaged-5'));
    renameSync(join(other, 'index'), join(other, '.damaged-5', 'index'));
    await assert.rejects(openForRebuild(other), /holds no segments/);
    assert.equal(readdirSync(join(other, 'quarantine', 'damaged-5')).length, 4);
  });

  it('helps a directory that lacks what makes it a store, and only when it is asked for', async (t) => {
    const { log } = recorder();
    const damages: ((path: string) => void)[] = [
      (path) => writeFileSync(join(path, 'bigcache.json'), '{"format":'),
      (path) => rmSync(join(path, 'bigcache.json')),
      (path) => rmSync(join(path, 'index'), { recursive: true }),
    ];
    for (const damage of damages) {
      const path = await madeStore(t);
      damage(path);
      await assert.rejects(openDirectory(path), DamagedStoreError);
      const onDamage = (at: string, error: DamagedStoreError) => quarantineStore(at, error, log);
      const directory = await openDirectory(path, onDamage);
      await directory.release();
      assert.ok(directory.isNew);
      assert.equal(damagedStores(path).length, 1);
    }
  });

  it('never touches what is not surely a damaged store', async (t) => {
    const refused: ((path: string) => void)[] = [
      (path) => writeFileSync(join(path, 'bigcache.json'), '{"format":2}'),
      (path) => writeFileSync(join(path, 'notes.txt'), 'mine'),
      (path) => writeFileSync(join(path, 'CURRENT'), 'MANIFEST-000001\n'),
      (path) => {
        rmSync(join(path, 'bigcache.json'));
        writeFileSync(join(path, 'index', 'index.html'), 'mine');
      },
      (path) => {
        rmSync(join(path, 'bigcache.json'));
        rmSync(join(path, 'index'), { recursive: true });
        writeFileSync(join(path, 'segments', 'mine'), 'mine');
      },
    ];
    for (const spoil of refused) {
      const path = await madeStore(t);
      spoil(path);
      const onDamage = () => assert.fail('it is asked to move what is not a damaged store');
      await assert.rejects(openDirectory(path, onDamage), (error) => {
        return error instanceof CannotRunError && !(error instanceof DamagedStoreError);
      });
    }
  });

  it('is refused for a store that a fresh start began less than a minute ago', async (t) => {
    const path = await madeStore(t);
    const { log } = recorder();
    await quarantineStore(path, DAMAGE, log);
    await (await openDirectory(path)).release();
    await assert.rejects(quarantineStore(path, DAMAGE, log), /less than a minute ago/);
    assert.ok(existsSync(join(path, 'bigcache.json')), 'nothing was moved');
    await quarantineStore(path, DAMAGE, log, () => Date.now() + HOUR_MS);
    assert.equal(damagedStores(path).length, 2);
  });

  it('is refused when eight damaged stores are kept already', async (t) => {
    const path = await madeStore(t);
    for (let nth = 0; nth < 8; nth++) mkdirSync(join(path, 'quarantine', `damaged-${nth}`));
    const later = (): number => Date.now() + HOUR_MS;
    await assert.rejects(
      quarantineStore(path, DAMAGE, recorder().log, later),
      /holds 8 damaged stores already/,
    );
    assert.ok(existsSync(join(path, 'bigcache.json')));
  });
});

describe('a quarantine', () => {
  it('is reported at the start with its size, when there is anything in it', async (t) => {
    const path = join(await madeStore(t), 'quarantine');
    const { log, lines } = recorder();
    await reportQuarantine(path, log);
    assert.equal(lines.length, 0);
    mkdirSync(join(path, 'damaged-1', 'index'), { recursive: true });
    writeFileSync(join(path, 'damaged-1', 'index', '000005.ldb'), 'x'.repeat(100));
    writeFileSync(join(path, '5-00000009.seg'), 'x'.repeat(23));
    await reportQuarantine(path, log);
    assert.match(lines[0]?.msg ?? '', /holds 2 files of 123 bytes/);
  });
});
