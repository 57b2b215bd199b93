/** A rebuild of an index that needs none. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runRebuild } from '../../../../src/primary/commands/rebuild/command.ts';
import { metaKey } from '../../../../src/primary/store/index/index-keys.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import {
  digests,
  leftovers,
  outcomeOf,
  PLAIN,
  plainStore,
  QUIET,
  readAll,
  withIndex,
} from '../stopped-store-setup.ts';

describe('a rebuild', () => {
  it('refuses an index that is sound, unless it is forced or trusted', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    const before = await digests(path);
    await assert.rejects(
      runRebuild(path, PLAIN, () => undefined, QUIET),
      /is sound; a rebuild would let all of its 4 entries expire at once.*`bigcache verify`.*--force/,
    );
    assert.deepEqual(await digests(path), before);
    assert.deepEqual(await leftovers(path), []);
    const forced = { isTrusted: false, isForced: true };
    const { code, out } = await outcomeOf((write) => runRebuild(path, forced, write, QUIET));
    assert.equal(code, 0);
    assert.match(out, /so all entries are stale/);
    assert.equal((await readAll(path, ['page/1'])).size, 0);
  });

  it('needs no force where the index, its log or bigcache.json is damaged', async (t) => {
    const damages: ((path: string) => Promise<void>)[] = [
      (path) => rm(join(path, 'index', 'CURRENT')),
      (path) => rm(join(path, 'bigcache.json')),
      async (path) => {
        const name = readdirSync(join(path, 'index')).find((file) => file.endsWith('.log')) ?? '';
        await truncate(join(path, 'index', name), 40);
      },
      (path) => withIndex(path, (index) => index.put(metaKey('recount'), Buffer.alloc(8))),
    ];
    for (const damage of damages) {
      const path = await temporaryDirectory(t);
      await plainStore(path, 3);
      await damage(path);
      const { code } = await outcomeOf((write) => runRebuild(path, PLAIN, write, QUIET));
      assert.equal(code, 0);
    }
  });
});
