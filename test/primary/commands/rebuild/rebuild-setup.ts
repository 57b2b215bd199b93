/** Rebuilds for tests: of a store in a directory, and whether it is sound after that. */
import assert from 'node:assert/strict';
import { rebuildIndex } from '../../../../src/primary/commands/rebuild/rebuild-run.ts';
import { runVerify } from '../../../../src/primary/commands/verify/command.ts';
import { openForRebuild } from '../../../../src/primary/directory/stopped-store.ts';
import { leftovers, outcomeOf, QUIET } from '../stopped-store-setup.ts';

type Result = NonNullable<Awaited<ReturnType<typeof rebuildIndex>>>;

/** Makes the index of a stopped store anew. */
export async function rebuild(path: string, isTrusted = true, now = Date.now): Promise<Result> {
  const directory = await openForRebuild(path);
  try {
    const result = await rebuildIndex({
      directory,
      isTrusted,
      now,
      onProgress: (share) => assert.ok(share >= 0 && share <= 1),
      shouldStop: () => false,
    });
    assert.ok(result !== undefined);
    return result;
  } finally {
    await directory.release();
  }
}

/** Fails unless the store is sound and nothing unfinished lies in it. */
export async function isSound(path: string): Promise<void> {
  const { code, out } = await outcomeOf((write) =>
    runVerify(path, { fast: false, json: false }, write, QUIET),
  );
  assert.equal(code, 0, out);
  assert.deepEqual(await leftovers(path), []);
}
