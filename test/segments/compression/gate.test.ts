import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Gate } from '../../../src/segments/compression/gate.ts';

describe('a gate', () => {
  it('lets so many work at once, and the others in the order in which they came', async () => {
    const gate = new Gate(2);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const works = Array.from({ length: 5 }, (_, nth) =>
      gate.run(async () => {
        begun.push(nth);
        await new Promise<void>((resolve) => ends.push(resolve));
        return nth;
      }),
    );
    for (const expected of [2, 3, 4, 5, 5]) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(begun.length, expected);
      ends.shift()?.();
    }
    assert.deepEqual(await Promise.all(works), [0, 1, 2, 3, 4]);
    assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  });

  it('passes the place of work that fails on', async () => {
    const gate = new Gate(1);
    const failing = gate.run(async () => {
      throw new Error('failed');
    });
    const next = gate.run(async () => 'next');
    await assert.rejects(failing, /failed/);
    assert.equal(await next, 'next');
    assert.equal(await gate.run(async () => 'later'), 'later');
  });
});
