/** A store whose index takes no more writes: reads go on, and it is opened again by itself. */
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import type { StoreDirectory } from '../../../src/primary/directory/directory.ts';
import { SegmentState } from '../../../src/primary/store/segment-stats.ts';
import type { Storage } from '../../../src/primary/store/storage.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { DEFAULT_CONFIG } from '../../default-config.ts';
import { eventually } from '../../eventually.ts';
import { openedStorage } from './opened-storage.ts';
import { createSegmentFile, recordOf } from './store-setup.ts';

const WRITER = 1;
/** In a store of this limit little room is held for a reopening. */
const STORE_BYTES_MAX = 64 * 1024 * 1024;

interface Opened {
  readonly storage: Storage;
  readonly directory: StoreDirectory;
  readonly log: Record<string, unknown>[];
}

async function openedSmall(test: Parameters<typeof openedStorage>[0]): Promise<Opened> {
  const log: Record<string, unknown>[] = [];
  const made = await openedStorage(test, {
    settings: { ...DEFAULT_CONFIG, storeBytesMax: STORE_BYTES_MAX, segmentBytes: 1024 * 1024 },
    log: pino({ level: 'debug' }, { write: (line: string) => log.push(JSON.parse(line)) }),
  });
  return { ...made, log };
}

/** Stores an entry in a new segment of `WRITER`, which stays open; answers which. */
async function store({ storage, directory }: Opened, key: string): Promise<number> {
  const segment = await storage.grantSegment(WRITER, 4096);
  await createSegmentFile(directory, segment);
  await storage.entries.commit(WRITER, key, recordOf(key, { segment }));
  return segment;
}

const failure = (): BigCacheError =>
  new BigCacheError('STORE_FAILED', undefined, { cause: new Error('EIO') });

async function healed({ storage }: Opened): Promise<void> {
  await eventually(() => storage.isOpen && storage.entries.failure === undefined, 15_000);
}

const hit = async ({ storage }: Opened, key: string): Promise<boolean> =>
  Buffer.isBuffer((await storage.entries.lookUp([key]))[0]);

describe('a store whose index has failed', () => {
  it('is opened again by itself, with all that was acknowledged', async (t) => {
    const opened = await openedSmall(t);
    const { storage, directory, log } = opened;
    await store(opened, 'before');
    storage.entries.fail(failure());
    assert.throws(() => storage.checkWritable(), { code: 'STORE_FAILED' });
    assert.ok(await hit(opened, 'before'), 'it is read while it takes no writes');
    await healed(opened);
    await store(opened, 'after');
    assert.ok((await hit(opened, 'before')) && (await hit(opened, 'after')));
    assert.doesNotThrow(() => storage.checkWritable());
    await eventually(() => log.some(({ msg }) => msg === 'the index takes writes again'));
    await eventually(async () => !(await readdir(directory.path)).includes('.reopening'));
  });

  it('writes down afterwards what was sealed, and who died, meanwhile', async (t) => {
    const opened = await openedSmall(t);
    const { storage } = opened;
    const sealed = await store(opened, 'sealed');
    const left = await storage.grantSegment(2, 4096);
    const kept = await storage.grantSegment(3, 4096);
    storage.entries.fail(failure());
    await storage.sealSegment(WRITER, sealed, 1234);
    await storage.sealSegmentsOf(2);
    await healed(opened);
    const stateOf = (segment: number) => storage.entries.segments.get(segment)?.state;
    await eventually(() => stateOf(sealed) === SegmentState.sealed);
    assert.equal(storage.entries.segments.get(sealed)?.fileBytes, 1234);
    assert.notEqual(stateOf(left), SegmentState.open);
    assert.equal(stateOf(kept), SegmentState.open, 'a living writer goes on with its segment');
  });

  it('stays open to be read where no open would accept its files', async (t) => {
    const opened = await openedSmall(t);
    const { storage, directory, log } = opened;
    await store(opened, 'key');
    const { indexPath } = directory;
    const manifest = (await readdir(indexPath)).find((name) => name.startsWith('MANIFEST'));
    const path = join(indexPath, manifest ?? '');
    const whole = await readFile(path);
    await writeFile(path, Buffer.from(whole).fill(0xff, 0, 16));
    await appendFile(join(indexPath, 'LOG'), 'Compaction error: Corruption: block checksum\n');
    storage.entries.fail(failure());
    await eventually(() => log.some(({ msg }) => /could not be opened again/.test(String(msg))));
    assert.ok(storage.isOpen);
    assert.ok(await hit(opened, 'key'));
    await writeFile(path, whole);
    await healed(opened);
    assert.ok(await hit(opened, 'key'));
  });

  it('refuses those who wait for room with what it has failed of', async (t) => {
    const opened = await openedSmall(t);
    const { storage } = opened;
    const waiting = storage.grantSegment(WRITER, STORE_BYTES_MAX / 2).then(() =>
      storage.grantSegment(WRITER, STORE_BYTES_MAX / 2).then(
        () => 'granted',
        (error: BigCacheError) => error.code,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    storage.entries.fail(failure());
    assert.equal(await waiting, 'STORE_FAILED');
    await healed(opened);
  });
});
