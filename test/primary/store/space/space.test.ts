/** What the store takes, measured again and again. */
import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDirectory } from '../../../../src/primary/directory/directory.ts';
import { Space, type SpaceOptions } from '../../../../src/primary/store/space/space.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';

const KiB = 1024;

/** The space of a store whose index has files that the test makes. */
async function spaceOver(
  test: Parameters<typeof temporaryDirectory>[0],
  options: Partial<SpaceOptions> = {},
) {
  const directory = await openDirectory(await temporaryDirectory(test));
  test.after(() => directory.release());
  const space = new Space({
    directory,
    storeBytesMax: 0,
    freeBytesMin: 0,
    indexSlackBytes: 0,
    reserveBytes: 0,
    segmentBytes: () => 0,
    unwrittenBytes: () => 0,
    ...options,
  });
  const pathOf = (name: string): string => join(directory.indexPath, name);
  return {
    space,
    write: (name: string, bytes: number) => writeFile(pathOf(name), Buffer.alloc(bytes, 1)),
    grow: (name: string, bytes: number) => appendFile(pathOf(name), Buffer.alloc(bytes, 1)),
    /** How much more is taken than when it was measured last. */
    async growth(): Promise<number> {
      const before = space.usedBytes;
      await space.measure();
      return space.usedBytes - before;
    },
  };
}

describe('the size of the index', () => {
  it('follows the newest table, by its number and not by the letters of its name', async (t) => {
    const { write, grow, growth } = await spaceOver(t);
    await write('999999.ldb', 64 * KiB);
    await write('1000000.ldb', 64 * KiB);
    for (let times = 0; times < 3; times++) await growth();
    await grow('1000000.ldb', 128 * KiB);
    assert.equal(await growth(), 128 * KiB);
  });

  it('follows a table that is not the newest until it was found at one size twice', async (t) => {
    const { write, grow, growth } = await spaceOver(t);
    await write('000005.ldb', 64 * KiB);
    await growth();
    // What a flush has written while a compaction still writes the table before it.
    await write('000006.ldb', 64 * KiB);
    await grow('000005.ldb', 64 * KiB);
    assert.equal(await growth(), 128 * KiB);
    await grow('000005.ldb', 64 * KiB);
    assert.equal(await growth(), 64 * KiB);
  });
});

describe('the room of the reserve', () => {
  it('is kept for it within the limit, also while it is given up', async (t) => {
    let segmentBytes = 600 * KiB;
    const { space } = await spaceOver(t, {
      storeBytesMax: 1000 * KiB,
      freeBytesMin: 1,
      reserveBytes: 300 * KiB,
      segmentBytes: () => segmentBytes,
    });
    await space.measure();
    const indexBytes = space.usedBytes - 900 * KiB;
    assert.equal(space.missingFor(0), indexBytes - 100 * KiB);
    assert.equal(space.hasRoomForReserve, true);
    segmentBytes = 800 * KiB;
    assert.ok(space.missingFor(0) > 0, 'entries go, so that it can be made');
    assert.equal(space.hasRoomForReserve, false);
  });
});
