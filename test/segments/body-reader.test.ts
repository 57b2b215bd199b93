/** Reading bodies out of segments: whole or streamed, warm or cold, never a byte that is wrong. */
import assert from 'node:assert/strict';
import { fstatSync, statSync, truncateSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type BodyPlace, BodyReader, warmItem } from '../../src/segments/body-reader.ts';
import { BLOCK_BYTES } from '../../src/segments/checksum.ts';
import { Descriptors } from '../../src/segments/descriptors.ts';
import { SegmentDamage } from '../../src/segments/faults.ts';
import { segmentFileName } from '../../src/segments/format.ts';
import { ReadPace } from '../../src/segments/read-pace.ts';
import { SlabPool } from '../../src/segments/slabs.ts';
import { WarmSet } from '../../src/segments/warm-set.ts';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { bytesOf, inPieces, pattern } from '../workers/store/store-subject.ts';
import { appendTo, flipByte, newLog, streamTo, TestGrants } from './segment-setup.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const EMPTY = Buffer.alloc(0);
const BARE = { prologue: EMPTY, epilogue: EMPTY };
const PROLOGUE = Buffer.from('<before>');
const EPILOGUE = Buffer.from('<after>');
const FRAMED = { prologue: PROLOGUE, epilogue: EPILOGUE };

/** A reader over one stored body, and what it may not keep. */
interface Stored {
  readonly place: BodyPlace;
  readonly path: string;
  readonly reader: BodyReader;
  readonly slabs: SlabPool;
  readonly descriptors: Descriptors;
  readonly warm: WarmSet<number>;
}

async function stored(
  test: Parameters<typeof temporaryDirectory>[0],
  body: Buffer,
  pace?: ReadPace,
): Promise<Stored> {
  const directory = await temporaryDirectory(test);
  const log = newLog(directory, new TestGrants(), 4 * MiB);
  const placed =
    body.length > MiB
      ? await streamTo(log, 'key', inPieces(body, 100_003))
      : await appendTo(log, 'key', body);
  placed.settle(true);
  const [descriptors, slabs] = [new Descriptors(directory), new SlabPool()];
  const warm = new WarmSet<number>();
  const reader = new BodyReader(descriptors, slabs, warm, pace);
  const path = join(directory, segmentFileName(placed.pointer.segment));
  return { place: placed, path, reader, slabs, descriptors, warm };
}

/**
 * Holds every loan to having come back exactly once: a dropped descriptor closes when the number of
 * its readers is zero, and stays open when it was released too often or not at all.
 */
async function assertNothingIsOnLoan({ place, path, slabs, descriptors }: Stored): Promise<void> {
  assert.equal(slabs.onLoan, 0);
  const { segment } = place.pointer;
  const { fd, release } = await lent(descriptors, segment);
  release();
  const inode = statSync(path).ino;
  descriptors.drop(segment);
  await eventually(() => {
    try {
      return fstatSync(fd).ino !== inode;
    } catch {
      return true;
    }
  }, 1000);
}

async function lent(
  descriptors: Descriptors,
  segment: number,
): Promise<{ fd: number; release: () => void }> {
  const loan = await descriptors.lend(segment);
  return { fd: loan.fd, release: () => loan.release() };
}

async function readsAsDamaged(one: Stored): Promise<void> {
  const reading = one.reader.open(one.place, BARE).then(bytesOf);
  await assert.rejects(reading, SegmentDamage);
}

describe('a body of up to 1 MiB', () => {
  for (const bodyBytes of [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, MiB]) {
    it(`of ${bodyBytes} bytes is read whole between what frames it, cold and then warm`, async (t) => {
      const body = pattern(bodyBytes);
      const one = await stored(t, body);
      const expected = Buffer.concat([PROLOGUE, body, EPILOGUE]);
      assert.equal(one.reader.openAtOnce(one.place, FRAMED), undefined, 'it is cold');
      const cold = await one.reader.open(one.place, FRAMED);
      assert.ok(cold.whole?.equals(expected));
      assert.equal(cold.byteLength, expected.length);
      const warm = one.reader.openAtOnce(one.place, FRAMED);
      assert.ok(warm?.whole?.equals(expected));
      assert.notEqual(warm?.whole?.buffer, cold.whole?.buffer);
      for await (const piece of cold.chunks()) assert.ok(piece.equals(expected));
      cold.release();
      cold.release();
      assert.equal(one.slabs.onLoan, 1);
      warm?.release();
      await assertNothingIsOnLoan(one);
    });
  }

  it('that was not just touched is read at once where reads are fast and it is short', async (t) => {
    for (const [bodyBytes, isAtOnce] of [
      [BLOCK_BYTES, true],
      [BLOCK_BYTES + 1, false],
    ] as const) {
      const one = await stored(t, pattern(bodyBytes));
      // So that its file is open.
      (await one.descriptors.lend(one.place.pointer.segment)).release();
      const content = one.reader.openAtOnce(one.place, BARE);
      assert.equal(content?.whole?.equals(pattern(bodyBytes)) ?? false, isAtOnce);
      content?.release();
      await assertNothingIsOnLoan(one);
    }
  });

  it('that was not just touched is left to the pool after a slow read, and is damaged as ever', async (t) => {
    let nowMs = 0;
    const pace = new ReadPace(() => nowMs);
    const one = await stored(t, pattern(1000), pace);
    (await one.descriptors.lend(one.place.pointer.segment)).release();
    await flipByte(one.path, one.place.pointer.offset);
    assert.throws(() => one.reader.openAtOnce(one.place, BARE), SegmentDamage);
    pace.atOnce(() => {
      nowMs = 20;
    });
    assert.equal(one.reader.openAtOnce(one.place, BARE), undefined);
    await readsAsDamaged(one);
    await assertNothingIsOnLoan(one);
  });

  it('is damaged when any of its blocks is, and gives back what it took', async (t) => {
    const one = await stored(t, pattern(5 * BLOCK_BYTES + 100));
    for (let block = 0; block < 6; block++) {
      const at = one.place.pointer.offset + block * BLOCK_BYTES + 50;
      await flipByte(one.path, at);
      await readsAsDamaged(one);
      await flipByte(one.path, at);
    }
    (await one.reader.open(one.place, BARE)).release();
    await flipByte(one.path, one.place.pointer.offset);
    assert.throws(() => one.reader.openAtOnce(one.place, BARE), SegmentDamage);
    await assertNothingIsOnLoan(one);
  });

  it('is damaged when its file is too short, cold and warm', async (t) => {
    const one = await stored(t, pattern(1000));
    truncateSync(one.path, one.place.pointer.offset + 999);
    await assert.rejects(one.reader.open(one.place, BARE), /too short/);
    one.warm.add(warmItem(one.place.pointer));
    assert.throws(() => one.reader.openAtOnce(one.place, BARE), /too short/);
    await assertNothingIsOnLoan(one);
  });

  it('is damaged when its file is gone', async (t) => {
    const one = await stored(t, pattern(1000));
    await unlink(one.path);
    await readsAsDamaged(one);
    assert.equal(one.slabs.onLoan, 0);
  });

  it('is still read by who has its descriptor when its file goes', async (t) => {
    const one = await stored(t, pattern(1000));
    (await one.reader.open(one.place, BARE)).release();
    await unlink(one.path);
    const warm = one.reader.openAtOnce(one.place, BARE);
    assert.ok(warm?.whole?.equals(pattern(1000)));
    warm?.release();
  });
});

describe('a longer body', () => {
  const body = pattern(2 * MiB + 12_345);

  it('is streamed in pieces, framed, through one slab', async (t) => {
    const one = await stored(t, body);
    const content = await one.reader.open(one.place, FRAMED);
    assert.equal(content.whole, undefined);
    assert.equal(one.slabs.onLoan, 1);
    const bytes = await bytesOf(content);
    assert.ok(bytes.equals(Buffer.concat([PROLOGUE, body, EPILOGUE])));
    content.release();
    assert.equal(one.reader.openAtOnce(one.place, BARE), undefined, 'it is never read whole');
    await assertNothingIsOnLoan(one);
  });

  it('is a miss when its first blocks or its table of checksums are damaged', async (t) => {
    const one = await stored(t, body);
    const { offset } = one.place.pointer;
    for (const at of [offset, offset + 3 * BLOCK_BYTES, offset + body.length]) {
      await flipByte(one.path, at);
      await assert.rejects(one.reader.open(one.place, BARE), SegmentDamage);
      await flipByte(one.path, at);
    }
    (await one.reader.open(one.place, BARE)).release();
    await assertNothingIsOnLoan(one);
  });

  it('is cut off before the piece that is damaged', async (t) => {
    const one = await stored(t, body);
    await flipByte(one.path, one.place.pointer.offset + body.length - 1);
    const content = await one.reader.open(one.place, BARE);
    const pieces: Buffer[] = [];
    const reading = async (): Promise<void> => {
      for await (const piece of content.chunks()) pieces.push(Buffer.from(piece));
    };
    await assert.rejects(reading(), SegmentDamage);
    content.release();
    assert.ok(Buffer.concat(pieces).equals(body.subarray(0, 2 * MiB)));
    await assertNothingIsOnLoan(one);
  });

  it('is cut off where its file ends too early', async (t) => {
    const one = await stored(t, body);
    truncateSync(one.path, one.place.pointer.offset + MiB);
    await assert.rejects(one.reader.open(one.place, BARE), /too short/);
    await assertNothingIsOnLoan(one);
  });

  it('keeps its slab and descriptor until the read under way is done, however it is left', async (t) => {
    const one = await stored(t, body);
    const content = await one.reader.open(one.place, BARE);
    const reading = content.chunks()[Symbol.asyncIterator]();
    await reading.next();
    const next = reading.next();
    content.release();
    content.release();
    assert.equal(one.slabs.onLoan, 1, 'the kernel still writes into the slab');
    await assert.rejects(next, /left/);
    await assertNothingIsOnLoan(one);
  });

  it('gives nothing any more once it is released', async (t) => {
    const one = await stored(t, body);
    const content = await one.reader.open(one.place, BARE);
    content.release();
    await assert.rejects(bytesOf(content), /INVARIANT/);
    await assertNothingIsOnLoan(one);
  });

  it('is served to several readers at once, each with a slab of its own', async (t) => {
    const one = await stored(t, body);
    const contents = await Promise.all([1, 2, 3].map(() => one.reader.open(one.place, BARE)));
    assert.equal(one.slabs.onLoan, 3);
    const all = await Promise.all(contents.map(bytesOf));
    assert.ok(all.every((bytes) => bytes.equals(body)));
    await assertNothingIsOnLoan(one);
  });
});

describe('a range of a body', () => {
  for (const bodyBytes of [1000, MiB, 3 * MiB + 5]) {
    it(`of ${bodyBytes} bytes is those bytes, cold and warm`, async (t) => {
      const body = pattern(bodyBytes);
      const one = await stored(t, body);
      const ends = [0, 1, 999, 4 * BLOCK_BYTES, 4 * BLOCK_BYTES + 1, MiB, bodyBytes - 1, bodyBytes];
      const within = [...new Set(ends)].filter((end) => end <= bodyBytes);
      for (const start of within) {
        for (const end of within.filter((later) => later > start)) {
          const content = await one.reader.open(one.place, { ...BARE, range: { start, end } });
          assert.equal(content.byteLength, end - start);
          const bytes = await bytesOf(content);
          assert.ok(bytes.equals(body.subarray(start, end)), `${start} to ${end}`);
        }
      }
      await assertNothingIsOnLoan(one);
    });
  }
});

describe('the number under which a body counts as warm', () => {
  it('is another for another offset or segment', () => {
    const items = [
      { segment: 1, offset: 64 },
      { segment: 1, offset: 256 * MiB },
      { segment: 2, offset: 64 },
      { segment: 2 ** 24 - 1, offset: 256 * MiB },
      { segment: 2 ** 24 - 1, offset: 256 * MiB - 1 },
    ].map(warmItem);
    assert.equal(new Set(items).size, items.length);
    assert.ok(items.every(Number.isSafeInteger));
  });
});
