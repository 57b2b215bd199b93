/**
 * Waiting for what happens soon, in bounded loops.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `isTrue` is; fails after `withinMs`. */
export async function eventually(
  isTrue: () => boolean | Promise<boolean>,
  withinMs = 5000,
): Promise<void> {
  const giveUpAt = Date.now() + withinMs;
  while (Date.now() < giveUpAt) {
    if (await isTrue()) return;
    await sleep(10);
  }
  assert.fail(`it did not happen within ${withinMs} ms`);
}
