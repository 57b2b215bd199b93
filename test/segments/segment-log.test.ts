/** Where a worker's bodies go: roll-over, sealing, refused appends, streams, failing grants. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { scanAppends } from '../../src/segments/append-scan.ts';
import { BLOCK_BYTES, blocksMatch, checksumMatches } from '../../src/segments/checksum.ts';
import { decodeSegmentHeader, segmentFileName } from '../../src/segments/format.ts';
import { type Placed, SegmentLog } from '../../src/segments/segment-log.ts';
import { eventually } from '../eventually.ts';
import { SyncWatch } from '../primary/store/sync-watch.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { inPieces, pattern } from '../workers/store/store-subject.ts';
import { appendTo, newLog, storedBytesOf, streamTo, TestGrants } from './segment-setup.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Keys of a segment's appends, those that were refused with a minus before them. */
async function keysIn(directory: string, segment: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key, header } of scanAppends(join(directory, segmentFileName(segment)))) {
    keys.push(header.isLive ? key : `-${key}`);
  }
  return keys;
}

describe('a log of segments', () => {
  it('rolls over under appends at once, without mixing them or overfilling a segment', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, 64 * KiB);
    const bodies = Array.from({ length: 200 }, (_, nth) => pattern(1000 + 37 * nth, nth));
    const placed = await Promise.all(bodies.map((body, nth) => appendTo(log, `key ${nth}`, body)));
    for (const [nth, one] of placed.entries()) {
      const body = bodies[nth] ?? Buffer.alloc(0);
      assert.ok((await storedBytesOf(directory, one)).equals(body), `body ${nth}`);
      assert.ok(blocksMatch(body, one.checksums, 0));
    }
    const names = await readdir(directory);
    assert.equal(names.length, grants.granted);
    for (const name of names) assert.ok((await stat(join(directory, name))).size <= 64 * KiB, name);
    for (const one of placed) one.settle(true);
    await log.sealAll();
    assert.ok(log.isIdle);
    const ids = Array.from({ length: grants.granted }, (_, nth) => nth + 1);
    assert.deepEqual(
      grants.sealed.toSorted((one, other) => one - other),
      ids,
    );
  });

  it('writes its own number and the time into the header of each segment', async (t) => {
    const directory = await temporaryDirectory(t);
    const log = newLog(directory, new TestGrants(), MiB);
    (await appendTo(log, 'key', Buffer.from('body'))).settle(true);
    const header = decodeSegmentHeader(await readFile(join(directory, segmentFileName(1))));
    assert.deepEqual(header, { id: 1, writer: 7, createdAtMs: 1234 });
    await log.sealAll();
  });

  it('gives a body that is longer than a segment one for itself', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, 64 * KiB);
    const small = await appendTo(log, 'small', pattern(100));
    const long = await appendTo(log, 'long', pattern(200 * KiB));
    const next = await appendTo(log, 'next', pattern(100));
    assert.deepEqual(
      [small, long, next].map(({ pointer }) => pointer.segment),
      [1, 2, 3],
    );
    assert.ok((await storedBytesOf(directory, long)).equals(pattern(200 * KiB)));
  });

  it('seals a full segment only after the last of its appends is settled', async (t) => {
    const grants = new TestGrants();
    const log = newLog(await temporaryDirectory(t), grants, 10 * KiB);
    const [one, other] = [
      await appendTo(log, 'one', pattern(4000)),
      await appendTo(log, 'other', pattern(4000)),
    ];
    const next = await appendTo(log, 'next', pattern(4000));
    assert.deepEqual([other.pointer.segment, next.pointer.segment], [1, 2]);
    one.settle(true);
    assert.deepEqual(grants.sealed, []);
    other.settle(true);
    assert.deepEqual(grants.sealed, [1]);
    next.settle(true);
    assert.deepEqual(grants.sealed, [1], 'the current segment stays open');
  });

  it('voids a refused append in the file before its segment is sealed', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, MiB);
    const placed: Placed[] = [];
    for (const key of ['kept', 'refused', 'kept too']) {
      placed.push(await appendTo(log, key, pattern(500)));
    }
    for (const [nth, one] of placed.entries()) one.settle(nth !== 1);
    await log.sealAll();
    await eventually(() => log.isIdle);
    assert.deepEqual(await keysIn(directory, 1), ['kept', '-refused', 'kept too']);
    assert.deepEqual(grants.sealed, [1]);
  });

  it('goes on in a new segment after everything was sealed', async (t) => {
    const grants = new TestGrants();
    const log = newLog(await temporaryDirectory(t), grants, MiB);
    const before = await appendTo(log, 'before', pattern(10));
    await log.sealAll();
    assert.ok(!log.isIdle, 'its commit has not been answered');
    before.settle(true);
    assert.ok(log.isIdle);
    const after = await appendTo(log, 'after', pattern(10));
    assert.equal(after.pointer.segment, 2);
    after.settle(true);
    await log.sealAll();
    assert.deepEqual(grants.sealed, [1, 2]);
  });

  it('seals a segment that is granted while everything is being sealed', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, MiB);
    const appending = appendTo(log, 'key', pattern(10));
    await log.sealAll();
    assert.deepEqual(grants.sealed, [1]);
    const placed = await appending;
    assert.equal(placed.pointer.segment, 2);
    assert.ok((await storedBytesOf(directory, placed)).equals(pattern(10)));
    placed.settle(true);
  });

  it('refuses all who wait for a segment that is not granted, and tries again for the next', async (t) => {
    const grants = new TestGrants();
    const log = newLog(await temporaryDirectory(t), grants, MiB);
    grants.failure = new BigCacheError('STORE_CLOSED');
    const refused = [1, 2, 3].map((nth) => appendTo(log, `key ${nth}`, pattern(10)));
    refused.push(streamTo(log, 'long', inPieces(pattern(10), 5)));
    await Promise.all(refused.map((one) => assert.rejects(one, grants.failure)));
    assert.ok(log.isIdle);
    grants.failure = undefined;
    const placed = await appendTo(log, 'key', pattern(10));
    placed.settle(true);
    await log.sealAll();
    assert.deepEqual(grants.sealed, [placed.pointer.segment]);
  });

  it('gives a segment back whose file cannot be made', async (t) => {
    const directory = await temporaryDirectory(t);
    await writeFile(join(directory, segmentFileName(1)), 'of an earlier run');
    const grants = new TestGrants();
    const log = newLog(directory, grants, MiB);
    await assert.rejects(
      appendTo(log, 'key', pattern(10)),
      (error) => error instanceof BigCacheError && error.code === 'STORE_FAILED',
    );
    assert.deepEqual(grants.sealed, [1]);
    assert.equal((await appendTo(log, 'key', pattern(10))).pointer.segment, 2);
  });
});

describe('a streamed body', () => {
  const SIZES = [0, 1, BLOCK_BYTES, 4 * BLOCK_BYTES, 4 * BLOCK_BYTES + 1, MiB, 2 * MiB + 12_345];

  for (const bodyBytes of SIZES) {
    it(`of ${bodyBytes} bytes lies in a segment of its own as it arrived`, async (t) => {
      const directory = await temporaryDirectory(t);
      const grants = new TestGrants();
      const log = newLog(directory, grants, MiB);
      const body = pattern(bodyBytes);
      const [shared, placed] = await Promise.all([
        appendTo(log, 'shared', pattern(10)),
        streamTo(log, 'long', inPieces(body, 50_001)),
      ]);
      assert.notEqual(placed.pointer.segment, shared.pointer.segment);
      assert.equal(placed.storedBytes, bodyBytes);
      assert.ok((await storedBytesOf(directory, placed)).equals(body));
      const file = await readFile(join(directory, segmentFileName(placed.pointer.segment)));
      const table = file.subarray(placed.pointer.offset + bodyBytes);
      if (bodyBytes > MiB) {
        assert.ok(checksumMatches(table.subarray(0, 33 * 8), placed.checksums, 0));
      } else {
        assert.ok(blocksMatch(body, placed.checksums, 0));
      }
      assert.deepEqual(await keysIn(directory, placed.pointer.segment), ['long']);
      placed.settle(true);
      assert.deepEqual(grants.sealed, [placed.pointer.segment]);
    });
  }

  it('that breaks off leaves nothing that counts, and its segment is sealed', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, MiB);
    async function* breaking(): AsyncGenerator<Buffer> {
      yield* inPieces(pattern(MiB), 100_000);
      throw new Error('the client left');
    }
    await assert.rejects(streamTo(log, 'long', breaking()), /the client left/);
    assert.deepEqual(await keysIn(directory, 1), []);
    assert.deepEqual(grants.sealed, [1]);
    assert.ok(log.isIdle);
  });

  it('that is refused is voided', async (t) => {
    const directory = await temporaryDirectory(t);
    const log = newLog(directory, new TestGrants(), MiB);
    const placed = await streamTo(log, 'long', inPieces(pattern(100_000), 30_000));
    placed.settle(false);
    await eventually(() => log.isIdle);
    assert.deepEqual(await keysIn(directory, 1), ['-long']);
  });
});

describe('a segment that cannot be put on disk', () => {
  const isFailed = (error: unknown): boolean =>
    error instanceof BigCacheError && error.code === 'STORE_FAILED';

  it('is written to no more, and sealed once its commits are answered', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, MiB);
    const before = await appendTo(log, 'before', pattern(KiB));
    const waiting = appendTo(log, 'waiting', pattern(KiB));
    log.retire(before.pointer.segment);
    await assert.rejects(waiting, isFailed);
    const after = await appendTo(log, 'after', pattern(KiB));
    assert.equal(after.pointer.segment, 2);
    assert.deepEqual(grants.sealed, []);
    before.settle(true);
    assert.deepEqual(grants.sealed, [1]);
    assert.deepEqual(await keysIn(directory, 1), ['before']);
    after.settle(true);
  });

  it('ends the body that is being streamed into it', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const log = newLog(directory, grants, MiB);
    async function* retiring(): AsyncGenerator<Buffer> {
      yield pattern(MiB);
      log.retire(1);
      yield pattern(MiB);
    }
    await assert.rejects(streamTo(log, 'long', retiring()), isFailed);
    assert.deepEqual(await keysIn(directory, 1), []);
    assert.deepEqual(grants.sealed, [1]);
    assert.ok(log.isIdle);
  });

  it('is found out while a long body arrives, where those are synced meanwhile', async (t) => {
    const directory = await temporaryDirectory(t);
    const grants = new TestGrants();
    const watch = await SyncWatch.begin(t);
    const options = { directory, segmentBytes: MiB, writer: 7, grants, now: () => 1234 };
    const log = new SegmentLog({ ...options, syncsStreams: true });
    const piece = pattern(MiB);
    async function* long(): AsyncGenerator<Buffer> {
      for (let nth = 0; nth < 40; nth++) yield piece;
    }
    (await streamTo(log, 'long', long())).settle(true);
    assert.deepEqual(watch.take(directory), ['00000001.seg', '00000001.seg']);
    watch.failOn('00000002.seg', 'EIO');
    await assert.rejects(streamTo(log, 'long', long()), isFailed);
    assert.deepEqual(grants.sealed, [1, 2]);
  });
});
