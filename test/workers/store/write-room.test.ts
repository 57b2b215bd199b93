/** The bound on the writes that a worker has under way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WriteRoom } from '../../../src/workers/store/write-room.ts';

const OVERLOADED = { code: 'OVERLOADED' };

describe('the room for writes', () => {
  it('refuses what comes beyond it, without beginning it, and takes more once one has ended', async () => {
    const room = new WriteRoom(2);
    const ends: (() => void)[] = [];
    const write = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
    const first = room.run(write);
    const second = room.run(write);
    await assert.rejects(room.run(write), OVERLOADED);
    assert.deepEqual([room.underWay, room.refused, ends.length], [2, 1, 2]);
    ends.shift()?.();
    await first;
    const third = room.run(write);
    assert.deepEqual([room.underWay, ends.length], [2, 2]);
    for (const end of ends) end();
    await Promise.all([second, third]);
    assert.deepEqual([room.underWay, room.refused], [0, 1]);
  });

  it('is given back by a write that fails, also at once, and answers what the write did', async () => {
    const room = new WriteRoom(1);
    const failure = new Error('it failed');
    await assert.rejects(
      room.run(() => Promise.reject(failure)),
      failure,
    );
    await assert.rejects(
      room.run(() => {
        throw failure;
      }),
      failure,
    );
    assert.equal(await room.run(() => Promise.resolve(7)), 7);
    assert.equal(room.underWay, 0);
  });
});
