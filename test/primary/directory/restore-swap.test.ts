/** A restored store takes the place of the present one, and a crash at any step leaves one of the two. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RestoreSwap, settleRestore } from '../../../src/primary/directory/restore-swap.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';

const MS = 1234;

/** Files that say whose they are, where a store has its parts. */
async function makeStore(path: string, whose: string): Promise<void> {
  for (const folder of ['index', 'segments']) {
    await mkdir(join(path, folder), { recursive: true });
    await writeFile(join(path, folder, 'file'), whose);
  }
  await writeFile(join(path, 'bigcache.json'), whose);
}

/** A directory with an old store, left in the middle of an opening, and a new one beside it. */
async function prepared(t: Parameters<typeof temporaryDirectory>[0]): Promise<string> {
  const path = await temporaryDirectory(t);
  await makeStore(path, 'old');
  await mkdir(join(path, '.index-aside'));
  await writeFile(join(path, '.index-aside', 'file'), 'old');
  await makeStore(join(path, `.restore-${MS}.partial`), 'new');
  return path;
}

/** Whose store is in the directory; fails when its parts are of two. */
function ownerOf(path: string): string {
  const texts = ['index/file', 'segments/file', 'bigcache.json'].map((name) =>
    readFileSync(join(path, name), 'utf8'),
  );
  assert.equal(new Set(texts).size, 1, `all of one store: ${texts.join(' ')}`);
  return texts[0] ?? '';
}

/** Names that a swap leaves only while it is under way. */
const leftovers = (path: string): string[] =>
  readdirSync(path).filter((name) => name.includes('restore'));

class Killed extends Error {}

/** Renames that do nothing any more from the step `at` on, as after a kill before it. */
function renamesUpTo(at: number): { rename: typeof rename; steps: () => number } {
  let steps = 0;
  return {
    rename: async (from, to) => {
      steps += 1;
      if (steps > at) throw new Killed();
      await rename(from, to);
    },
    steps: () => steps,
  };
}

/** Runs `swap` with a kill before each of its renames in turn; answers how many there are. */
async function killedAtEachStep(
  t: Parameters<typeof temporaryDirectory>[0],
  run: (swap: RestoreSwap) => Promise<void>,
  check: (path: string, at: number) => Promise<void>,
): Promise<number> {
  for (let at = 0; at < 100; at++) {
    const path = await prepared(t);
    const renames = renamesUpTo(at);
    try {
      await run(new RestoreSwap(path, MS, renames.rename));
      return at;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    await check(path, at);
  }
  throw new Error('it does not come to its end');
}

async function applyAll(swap: RestoreSwap): Promise<void> {
  await swap.decide();
  await swap.apply();
  await swap.finish();
}

describe('a restored store', () => {
  it('takes the place of the present one, which goes to quarantine whole', async (t) => {
    const path = await prepared(t);
    const swap = new RestoreSwap(path, MS);
    await applyAll(swap);
    assert.equal(ownerOf(path), 'new');
    assert.equal(ownerOf(swap.shelterPath), 'old');
    assert.ok(
      !existsSync(join(path, '.index-aside')),
      'which would be put back over the new index',
    );
    assert.deepEqual(leftovers(path), []);
  });

  it('takes an empty place, and leaves no quarantine behind', async (t) => {
    const path = await temporaryDirectory(t);
    await makeStore(join(path, `.restore-${MS}.partial`), 'new');
    await applyAll(new RestoreSwap(path, MS));
    assert.equal(ownerOf(path), 'new');
    assert.deepEqual(readdirSync(join(path, 'quarantine')), []);
  });

  it('is there whole, or not at all, after a kill at any step', async (t) => {
    const steps = await killedAtEachStep(t, applyAll, async (path, at) => {
      await settleRestore(path);
      // The first rename is the decision.
      assert.equal(ownerOf(path), at === 0 ? 'old' : 'new');
      assert.deepEqual(leftovers(path), []);
      if (at > 0) assert.equal(ownerOf(join(path, 'quarantine', `before-restore-${MS}`)), 'old');
      assert.equal(existsSync(join(path, '.index-aside')), at === 0);
    });
    t.diagnostic(`${steps} steps`);
    assert.equal(steps, 8);
  });

  it('that was decided is there after a kill at any step of the start that completes it', async (t) => {
    let steps = 0;
    for (let isKilled = true; isKilled; steps++) {
      assert.ok(steps < 100, 'it comes to its end');
      const path = await prepared(t);
      await new RestoreSwap(path, MS).decide();
      isKilled = await settleRestore(path, renamesUpTo(steps).rename).then(
        () => false,
        (error) => error instanceof Killed,
      );
      await settleRestore(path);
      assert.equal(ownerOf(path), 'new');
      assert.deepEqual(leftovers(path), []);
    }
    assert.equal(steps, 8);
  });

  it('is taken back whole after a kill at any step of the undoing', async (t) => {
    const steps = await killedAtEachStep(
      t,
      async (swap) => {
        const path = join(swap.partialPath, '..');
        const unbroken = new RestoreSwap(path, MS);
        await unbroken.decide();
        await unbroken.apply();
        await swap.undo();
      },
      async (path, at) => {
        await settleRestore(path);
        assert.equal(ownerOf(path), at === 0 ? 'new' : 'old');
        assert.deepEqual(leftovers(path), []);
        const shelter = join(path, 'quarantine', `before-restore-${MS}`);
        assert.equal(existsSync(shelter), at === 0);
        if (at > 0) assert.ok(existsSync(join(path, '.index-aside')));
      },
    );
    t.diagnostic(`${steps} steps`);
    assert.ok(steps > 5);
  });

  it('is taken back from the middle of the swap', async (t) => {
    for (let at = 1; at < 8; at++) {
      const path = await prepared(t);
      await assert.rejects(applyAll(new RestoreSwap(path, MS, renamesUpTo(at).rename)), Killed);
      await new RestoreSwap(path, MS).undo();
      assert.equal(ownerOf(path), 'old');
      assert.deepEqual(leftovers(path), []);
    }
  });

  it('that was not decided is removed, and nothing else', async (t) => {
    const path = await prepared(t);
    await settleRestore(path);
    assert.equal(ownerOf(path), 'old');
    assert.deepEqual(leftovers(path), []);
  });
});
