/** What LevelDB's text file says of damage, and what a start makes of a log that is damaged. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDirectory, type StoreDirectory } from '../../../../src/primary/directory/directory.ts';
import {
  type LostChanges,
  openIndexChecked,
} from '../../../../src/primary/store/index/index-files.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { sealIndex } from '../../../../src/primary/store/index/index-seal.ts';
import {
  hadBrokenCompaction,
  parseDrops,
  readDrops,
} from '../../../../src/primary/store/index/recovery-log.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';

const ENTRIES = 2000;
const key = (nth: number): Buffer => entryKey(`key ${nth}`);

describe('the text file of LevelDB', () => {
  it('tells how many bytes of which log were dropped', () => {
    const text = [
      '2026/01/02-03:04:05.678901 7f00 Recovering log #12',
      '2026/01/02-03:04:05.678902 7f00 (ignoring error) /data/my index/000012.log: dropping 3120 bytes; Corruption: checksum mismatch',
      '2026/01/02-03:04:05.678903 7f00 (ignoring error) /data/my index/000012.log: dropping 50 bytes; Corruption: missing start of fragmented record(2)',
      '2026/01/02-03:04:05.678904 7f00 Ignoring error Corruption: unknown WriteBatch tag',
      '2026/01/02-03:04:05.678905 7f00 Level-0 table #13: started',
    ].join('\n');
    assert.deepEqual(parseDrops(text), { drops: 3, bytes: 3170, logs: ['000012.log'] });
  });

  it('tells of no drop where there is none, and where there is no file', async (t) => {
    const path = await temporaryDirectory(t);
    assert.deepEqual(await readDrops(path), { drops: 0, bytes: 0, logs: [] });
    writeFileSync(join(path, 'LOG'), 'x'.repeat(10_000_000));
    assert.deepEqual(await readDrops(path), { drops: 0, bytes: 0, logs: [] });
    assert.equal(await hadBrokenCompaction(path), false);
  });

  it('tells at its end of a table that could not be compacted', async (t) => {
    const path = await temporaryDirectory(t);
    const line = 'Compaction error: Corruption: bad entry in block\n';
    writeFileSync(join(path, 'LOG'), `${'x\n'.repeat(1_000_000)}${line}`);
    assert.equal(await hadBrokenCompaction(path), true);
  });
});

describe('a log that is damaged', () => {
  /** A closed index of 2,000 entries that are all in its log. */
  async function made(
    t: Parameters<typeof temporaryDirectory>[0],
    isSealed: boolean,
  ): Promise<{ directory: StoreDirectory; log: string }> {
    const directory = await openDirectory(await temporaryDirectory(t));
    t.after(() => directory.release());
    const { index } = await openIndexChecked(directory);
    for (let nth = 0; nth < ENTRIES; nth++) await index.put(key(nth), Buffer.alloc(100));
    await index.close();
    if (isSealed) await sealIndex(directory.indexPath);
    const name = readdirSync(directory.indexPath).find((file) => file.endsWith('.log'));
    return { directory, log: join(directory.indexPath, name ?? '') };
  }

  async function opened(
    directory: StoreDirectory,
  ): Promise<{ found: number[]; lost: LostChanges | undefined }> {
    const { index, lost } = await openIndexChecked(directory);
    const values = await index.getMany(Array.from({ length: ENTRIES }, (_, nth) => key(nth)));
    await index.close();
    return { found: values.flatMap((value, nth) => (value === undefined ? [] : [nth])), lost };
  }

  it('in its middle is opened, says what is lost, and is kept as it was', async (t) => {
    const { directory, log } = await made(t, false);
    const bytes = readFileSync(log);
    bytes.fill(0xff, 40_000, 40_010);
    writeFileSync(log, bytes);
    const { found, lost } = await opened(directory);
    assert.ok(found.length > ENTRIES / 2 && found.length < ENTRIES - 100, String(found.length));
    assert.ok(found.includes(0) && found.includes(ENTRIES - 1), 'both ends are there');
    assert.ok((lost?.bytes ?? 0) > 20_000 && (lost?.bytes ?? 0) <= 32_768, String(lost?.bytes));
    const [kept = ''] = readdirSync(lost?.keptIn ?? '');
    assert.deepEqual(readFileSync(join(lost?.keptIn ?? '', kept)), bytes);
    assert.equal((await opened(directory)).lost, undefined, 'the damage is told once');
  });

  it('by zeros, which LevelDB skips in silence, is told all the same', async (t) => {
    const { directory, log } = await made(t, false);
    const bytes = readFileSync(log);
    bytes.fill(0, 40_000, 98_304);
    writeFileSync(log, bytes);
    const { found, lost } = await opened(directory);
    assert.ok(found.length < ENTRIES - 100);
    assert.match(lost?.causes.join() ?? '', /\.log has a gap/);
  });

  it('at its end, since its writer died, is what a crash leaves: nothing is said', async (t) => {
    const { directory, log } = await made(t, false);
    truncateSync(log, 50_000);
    const { found, lost } = await opened(directory);
    assert.deepEqual(
      found,
      found.map((_, nth) => nth),
      'a begin of what was written',
    );
    assert.equal(lost, undefined);
  });

  it('at its end, since it was closed and sealed, is told', async (t) => {
    const { directory, log } = await made(t, true);
    truncateSync(log, 50_000);
    const { lost } = await opened(directory);
    assert.match(lost?.causes.join() ?? '', /\.log, of \d+ bytes, has 50000 bytes/);
    assert.ok(!existsSync(join(directory.indexPath, 'CLOSED')), 'an open index has no seal');
  });
});
