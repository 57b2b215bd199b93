/** Descriptors of segments: shared by their readers, and never closed under one. */
import assert from 'node:assert/strict';
import { fstatSync, readSync, statSync } from 'node:fs';
import { rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { Descriptors } from '../../src/segments/descriptors.ts';
import { SegmentDamage } from '../../src/segments/faults.ts';
import { segmentFileName } from '../../src/segments/format.ts';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

/** A directory with segments 1 to `count`; each holds its own number. */
async function segments(
  test: Parameters<typeof temporaryDirectory>[0],
  count: number,
): Promise<{ directory: string; pathOf: (segment: number) => string }> {
  const directory = await temporaryDirectory(test);
  const pathOf = (segment: number): string => join(directory, segmentFileName(segment));
  for (let segment = 1; segment <= count; segment++) {
    await writeFile(pathOf(segment), `segment ${segment}`);
  }
  return { directory, pathOf };
}

function read(fd: number): string {
  const buffer = Buffer.alloc(100);
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
}

/** Whether `fd` is open on the file with this inode; a closed number may have been given again. */
function isOpen(fd: number, inode: number): boolean {
  try {
    return fstatSync(fd).ino === inode;
  } catch {
    return false;
  }
}

describe('the descriptor of a segment', () => {
  it('is one for all its readers, those included who ask while it is being opened', async (t) => {
    const { directory } = await segments(t, 1);
    const descriptors = new Descriptors(directory);
    assert.equal(descriptors.lendOpen(1), undefined);
    const loans = await Promise.all([1, 1, 1].map((segment) => descriptors.lend(segment)));
    const later = descriptors.lendOpen(1);
    assert.ok(later !== undefined);
    assert.equal(new Set([...loans, later].map(({ fd }) => fd)).size, 1);
    assert.equal(read(later.fd), 'segment 1');
    for (const loan of [...loans, later]) loan.release();
    descriptors.closeAll();
  });

  it('stays open under its readers after a drop, and closes behind the last of them', async (t) => {
    const { directory, pathOf } = await segments(t, 1);
    const descriptors = new Descriptors(directory);
    const [one, other] = [await descriptors.lend(1), await descriptors.lend(1)];
    const inode = statSync(pathOf(1)).ino;
    await unlink(pathOf(1));
    descriptors.drop(1);
    descriptors.drop(1);
    assert.equal(descriptors.lendOpen(1), undefined);
    one.release();
    assert.equal(read(other.fd), 'segment 1');
    other.release();
    await eventually(() => !isOpen(other.fd, inode));
  });

  it('stays open between two readers, until it is dropped', async (t) => {
    const { directory, pathOf } = await segments(t, 1);
    const descriptors = new Descriptors(directory);
    const loan = await descriptors.lend(1);
    loan.release();
    const again = descriptors.lendOpen(1);
    assert.equal(again?.fd, loan.fd);
    again?.release();
    descriptors.drop(1);
    await eventually(() => !isOpen(loan.fd, statSync(pathOf(1)).ino));
  });

  it('is closed when others are used more, but not while it is on loan', async (t) => {
    const { directory, pathOf } = await segments(t, 4);
    const descriptors = new Descriptors(directory, 2);
    const first = await descriptors.lend(1);
    const inode = statSync(pathOf(1)).ino;
    for (const segment of [2, 3]) (await descriptors.lend(segment)).release();
    assert.equal(descriptors.lendOpen(1), undefined);
    assert.equal(read(first.fd), 'segment 1');
    first.release();
    await eventually(() => !isOpen(first.fd, inode));
    // Segment 2 was used last, so 3 has to go.
    descriptors.lendOpen(2)?.release();
    (await descriptors.lend(4)).release();
    assert.equal(descriptors.lendOpen(3), undefined);
    const kept = descriptors.lendOpen(2);
    assert.equal(kept !== undefined && read(kept.fd), 'segment 2');
    kept?.release();
    descriptors.closeAll();
  });

  it('that is dropped while it is being opened still serves its readers, then closes', async (t) => {
    const { directory, pathOf } = await segments(t, 1);
    const descriptors = new Descriptors(directory);
    const inode = statSync(pathOf(1)).ino;
    const lending = [descriptors.lend(1), descriptors.lend(1)];
    descriptors.drop(1);
    const [one, other] = await Promise.all(lending);
    assert.ok(one !== undefined && other !== undefined);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(descriptors.lendOpen(1), undefined);
    assert.equal(read(one.fd), 'segment 1');
    one.release();
    assert.equal(read(other.fd), 'segment 1');
    other.release();
    await eventually(() => !isOpen(one.fd, inode));
  });

  it('is damage where there is no file, and can be had once there is one', async (t) => {
    const { directory, pathOf } = await segments(t, 1);
    const descriptors = new Descriptors(directory);
    const missing = descriptors.lend(2);
    descriptors.drop(2);
    await assert.rejects(missing, SegmentDamage);
    await rename(pathOf(1), pathOf(2));
    const loan = await descriptors.lend(2);
    loan.release();
    assert.equal(descriptors.lendOpen(2)?.fd, loan.fd);
    descriptors.lendOpen(2)?.release();
    descriptors.closeAll();
  });

  it('is a fault of the system, and no damage, where the file cannot be opened', async (t) => {
    const { directory } = await segments(t, 1);
    // A file where a directory should be: ENOTDIR.
    const descriptors = new Descriptors(join(directory, segmentFileName(1)));
    await assert.rejects(
      descriptors.lend(1),
      (error) => error instanceof BigCacheError && error.code === 'STORE_FAILED',
    );
  });
});
