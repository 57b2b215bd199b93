/** The store as a whole: opened, closed, and in use while that happens; files that nobody knows. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { openDirectory, type StoreDirectory } from '../../../src/primary/directory/directory.ts';
import { newSegmentStats } from '../../../src/primary/store/segment-stats.ts';
import { surveySegmentFiles } from '../../../src/primary/store/space/segment-files.ts';
import type { Storage } from '../../../src/primary/store/storage.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { openedStorage } from './opened-storage.ts';
import { createSegmentFile, recordOf, SILENT } from './store-setup.ts';

const WRITER = 1;

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BigCacheError && error.code === code;
}

async function commit(
  storage: Storage,
  directory: StoreDirectory,
  ...keys: string[]
): Promise<void> {
  const segment = await storage.grantSegment(WRITER, 4096);
  await createSegmentFile(directory, segment);
  await Promise.all(
    keys.map((key) => storage.entries.commit(WRITER, key, recordOf(key, { segment }))),
  );
}

/** The files below `path` that this process has open; none where a system does not show them. */
function openFilesIn(path: string): string[] {
  const descriptors = '/proc/self/fd';
  if (!existsSync(descriptors)) return [];
  return readdirSync(descriptors)
    .map((fd) => {
      try {
        return readlinkSync(join(descriptors, fd));
      } catch {
        // The descriptor that listed the others is gone by now.
        return '';
      }
    })
    .filter((target) => target.startsWith(path));
}

describe('a storage', () => {
  it('keeps its entries over close and open, and refuses what comes between', async (t) => {
    const { storage, directory } = await openedStorage(t);
    await commit(storage, directory, 'key');
    await storage.close();
    assert.equal(storage.isOpen, false);
    assert.throws(() => storage.entries, isCode('STORE_CLOSED'));
    await assert.rejects(storage.deletePrefix('k'), isCode('STORE_CLOSED'));
    await assert.rejects(storage.clear(), isCode('STORE_CLOSED'));
    await assert.rejects(storage.grantSegment(WRITER, 4096), isCode('STORE_CLOSED'));
    await storage.open();
    assert.equal(storage.entries.count, 1);
    assert.equal(await storage.deletePrefix('k'), 1);
  });

  it('takes opening and closing in turns, however many ask at once', async (t) => {
    let seals = 0;
    const { storage, directory } = await openedStorage(t, {
      sealAll: async () => {
        seals += 1;
      },
    });
    const turns = [
      storage.close(),
      storage.close(),
      storage.open(),
      storage.open(),
      storage.close(),
      storage.open(),
    ];
    await Promise.all(turns);
    assert.ok(storage.isOpen);
    assert.equal(seals, 2, 'a closed store is not closed again');
    await commit(storage, directory, 'key');
    assert.equal(storage.entries.count, 1);
  });

  it('grants no segment while the workers seal, and still commits what has its place', async (t) => {
    let sealing: (() => Promise<void>) | undefined;
    const { storage } = await openedStorage(t, { sealAll: async () => sealing?.() });
    const segment = await storage.grantSegment(WRITER, 4096);
    sealing = async () => {
      await assert.rejects(storage.grantSegment(WRITER, 4096), isCode('STORE_CLOSED'));
      await storage.entries.commit(WRITER, 'key', recordOf('key', { segment }));
      await storage.entries.sealSegment(WRITER, segment);
    };
    await storage.close();
    sealing = undefined;
    await storage.open();
    assert.equal(storage.entries.count, 1);
    assert.ok((await storage.grantSegment(WRITER, 4096)) > segment);
  });

  it('stays open, and grants again, when the workers cannot be made to seal', async (t) => {
    let failure: Error | undefined = new Error('a worker hangs');
    const { storage, directory } = await openedStorage(t, {
      sealAll: async () => {
        if (failure !== undefined) throw failure;
      },
    });
    await assert.rejects(storage.close(), failure);
    assert.ok(storage.isOpen);
    await commit(storage, directory, 'key');
    failure = undefined;
  });

  it('answers STORE_CLOSED to a prefix delete that a close overtakes, which stays in force', async (t) => {
    let deleting: Promise<number> | undefined;
    const { storage, directory } = await openedStorage(t, {
      sealAll: async () => {
        deleting ??= storage.deletePrefix('a/');
        // Otherwise the rejection would find nobody to take it.
        deleting.catch(() => undefined);
      },
    });
    await commit(storage, directory, 'a/1', 'b');
    await storage.close();
    const outcome = await Promise.allSettled([deleting]);
    const [settled] = outcome;
    assert.ok(
      settled.status === 'fulfilled' ? settled.value === 1 : isCode('STORE_CLOSED')(settled.reason),
    );
    await storage.open();
    assert.ok(!Buffer.isBuffer((await storage.entries.lookUp(['a/1']))[0]));
    assert.ok(Buffer.isBuffer((await storage.entries.lookUp(['b']))[0]));
  });

  it('fails an opening that its files do not allow, and can be opened once they do', async (t) => {
    const { storage, directory } = await openedStorage(t);
    await commit(storage, directory, 'key');
    await storage.close();
    const aside = join(directory.path, '.aside');
    await rename(directory.quarantinePath, aside);
    const stray = join(directory.segmentsPath, segmentFileName(999));
    await writeFile(stray, 'nobody knows it');
    await assert.rejects(storage.open(), isCode('STORE_FAILED'));
    assert.equal(storage.isOpen, false);
    assert.deepEqual(openFilesIn(directory.indexPath), [], 'the index is not left open');
    await rename(aside, directory.quarantinePath);
    await storage.open();
    assert.equal(storage.entries.count, 1);
    assert.ok(!existsSync(stray));
  });

  it('clears at once, and gives the files of sealed segments back', async (t) => {
    const { storage, directory } = await openedStorage(t);
    const segment = await storage.grantSegment(WRITER, 4096);
    const path = await createSegmentFile(directory, segment);
    await storage.entries.commit(WRITER, 'key', recordOf('key', { segment }));
    await storage.entries.sealSegment(WRITER, segment);
    await storage.clear();
    assert.equal(storage.entries.count, 0);
    await storage.close();
    await storage.open();
    assert.equal(storage.entries.count, 0);
    assert.ok(!existsSync(path));
  });
});

describe('a file among the segments', () => {
  it('that the index does not know is moved to quarantine, and the others stay', async (t) => {
    const directory = await openDirectory(await temporaryDirectory(t));
    const known = await createSegmentFile(directory, 1);
    await createSegmentFile(directory, 2);
    await writeFile(join(directory.segmentsPath, 'notes.txt'), 'whose is this');
    await mkdir(join(directory.segmentsPath, 'folder'));
    const segments = new Map([[1, newSegmentStats(1, 1, 0, 64)]]);
    await surveySegmentFiles(directory, segments, () => false, SILENT);
    assert.deepEqual(readdirSync(directory.segmentsPath), [segmentFileName(1)]);
    assert.ok(existsSync(known));
    const moved = readdirSync(directory.quarantinePath).map((name) => name.replace(/^\d+-/, ''));
    assert.deepEqual(moved.sort(), [segmentFileName(2), 'folder', 'notes.txt'].sort());
    await directory.release();
  });

  it('is reported when it is missing and entries need it', async (t) => {
    const directory = await openDirectory(await temporaryDirectory(t));
    const lines: { segment: number; entries: number }[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const needed = { ...newSegmentStats(1, 0, 0, 64), records: 3 };
    const segments = new Map([
      [1, needed],
      [2, newSegmentStats(2, 0, 0, 64)],
    ]);
    const { lost } = await surveySegmentFiles(directory, segments, () => false, log);
    assert.deepEqual([...lost], [[1, 'missing']]);
    const known = new Map([[1, 'evicted' as const]]);
    const again = await surveySegmentFiles(directory, segments, () => false, log, known);
    assert.deepEqual([...again.lost], [...known], 'which was told when it went');
    assert.deepEqual(
      lines.map(({ segment, entries }) => [segment, entries]),
      [[1, 3]],
    );
    await directory.release();
  });
});
