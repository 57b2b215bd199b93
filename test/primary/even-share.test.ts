/** What each worker would hold if all held as much. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { evenShare } from '../../src/primary/even-share.ts';

it('an even share is the mean, rounded up: nobody has to give up what cannot be shared', () => {
  assert.equal(evenShare([44, 13, 4, 3]), 16);
  assert.equal(evenShare([2, 0, 0, 0]), 1);
  assert.equal(evenShare([3, 2]), 3);
  assert.equal(evenShare([0, 0]), 0);
  assert.equal(evenShare([]), 0);
});
