/** Room that is held for an index while it is closed. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ReopenRoom } from '../../../src/primary/store/reopen-room.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';

const BYTES = 3 * 1024 * 1024 + 5;

describe('the room for an index to be opened again', () => {
  it('is taken in full, and given back in two halves', async (t) => {
    const path = await temporaryDirectory(t);
    const room = new ReopenRoom({ path }, BYTES);
    const taken = (): number => statSync(join(path, '.reopening')).size;
    assert.equal(await room.hold(), true);
    assert.equal(taken(), BYTES);
    assert.ok(statSync(join(path, '.reopening')).blocks * 512 >= BYTES, 'it takes room for real');
    assert.equal(await room.release(), true);
    assert.equal(taken(), Math.floor(BYTES / 2));
    assert.equal(await room.release(), false);
    assert.equal(taken(), 0);
    await room.drop();
  });

  it('is taken again after an opening has failed', async (t) => {
    const path = await temporaryDirectory(t);
    const room = new ReopenRoom({ path }, BYTES);
    await room.hold();
    await room.release();
    await room.release();
    assert.equal(await room.hold(), true);
    assert.equal(statSync(join(path, '.reopening')).size, BYTES);
    await room.drop();
  });

  it('leaves no file when it is given up', async (t) => {
    const path = await temporaryDirectory(t);
    const room = new ReopenRoom({ path }, BYTES);
    await room.drop();
    await room.hold();
    await room.drop();
    assert.equal(existsSync(join(path, '.reopening')), false);
  });
});
