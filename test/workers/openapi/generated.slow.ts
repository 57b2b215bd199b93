/** Ten thousand requests made from the document, and every operation answered well and refused. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { testSeed } from '../../e2e/chaos/random.ts';
import { injectedRun } from './injected-run.ts';

it('10,000 generated requests get answers that the document has, and no failures', async (t) => {
  const seed = testSeed();
  const open = await injectedRun(t, seed, 7000, 'no tokens');
  await open.complete(seed, 20);
  assert.deepEqual(open.faults, [], `seed ${seed}`);
  t.diagnostic(`every operation served and refused: ${open.summary()}`);
  await injectedRun(t, seed, 3000, 'tokens');
  assert.deepEqual([...open.uncovered()], []);
});
