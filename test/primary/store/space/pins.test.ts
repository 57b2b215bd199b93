import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pins } from '../../../../src/primary/store/space/pins.ts';

describe('a pinned segment', () => {
  it('is free when everybody who pinned it has released it', () => {
    const pins = new Pins();
    const [one, other] = [pins.pin([1, 2]), pins.pin([2, 3])];
    assert.deepEqual(
      [1, 2, 3, 4].map((id) => pins.isPinned(id)),
      [true, true, true, false],
    );
    one.release(2);
    assert.ok(pins.isPinned(2));
    other.releaseAll();
    assert.deepEqual(
      [1, 2, 3].map((id) => pins.isPinned(id)),
      [true, false, false],
    );
    one.release(1);
    one.release(1);
    assert.ok(!pins.isPinned(1));
  });
});
