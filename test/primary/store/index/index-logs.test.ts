/** Which log files of the index are synced, when again, and what a failed sync leaves behind. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { IndexLogs } from '../../../../src/primary/store/index/index-logs.ts';
import { BigCacheError } from '../../../../src/protocol/errors.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { openDescriptorsIn, SyncWatch } from '../sync-watch.ts';

type Test = Parameters<typeof temporaryDirectory>[0];

async function logsIn(test: Test, ...names: string[]): Promise<{ path: string; logs: IndexLogs }> {
  const path = await temporaryDirectory(test);
  for (const name of names) await writeFile(join(path, name), name);
  const logs = new IndexLogs(path);
  test.after(() => logs.close());
  return { path, logs };
}

describe('the logs of the index', () => {
  it('are all synced, the older ones once, and their names when a new one has come', async (t) => {
    const { path, logs } = await logsIn(t, '000003.log', '000010.log', '000011.ldb', 'LOG', 'LOCK');
    const watch = await SyncWatch.begin(t);
    await logs.sync();
    assert.deepEqual(watch.take(path), ['', '000003.log', '000010.log']);
    await logs.sync();
    assert.deepEqual(watch.take(path), ['000010.log']);
    await writeFile(join(path, '000012.log'), '');
    await logs.sync();
    assert.deepEqual(watch.take(path), ['', '000010.log', '000012.log']);
    await logs.sync();
    assert.deepEqual(watch.take(path), ['000012.log']);
  });

  it('are synced but for the current one where LevelDB has synced that', async (t) => {
    const { path, logs } = await logsIn(t, '000003.log', '000010.log');
    const watch = await SyncWatch.begin(t);
    await logs.syncRotated();
    await logs.syncRotated();
    assert.deepEqual(watch.take(path), ['', '000003.log']);
  });

  it('may vanish at any time, having become tables', async (t) => {
    const { path, logs } = await logsIn(t, '000003.log');
    await logs.sync();
    await rm(join(path, '000003.log'));
    await logs.sync();
    await writeFile(join(path, '000005.log'), '');
    await logs.sync();
    await logs.close();
    assert.deepEqual(openDescriptorsIn(path), []);
  });

  it('are never synced again once a sync has failed', async (t) => {
    const { path, logs } = await logsIn(t, '000003.log');
    const watch = await SyncWatch.begin(t);
    watch.failOn('000003.log', 'EIO');
    const isFailure = (error: unknown): boolean =>
      error instanceof BigCacheError && error.code === 'STORE_FAILED';
    await assert.rejects(logs.sync(), isFailure);
    watch.failOn(undefined, '');
    watch.take(path);
    await assert.rejects(logs.sync(), isFailure);
    await assert.rejects(logs.syncRotated(), isFailure);
    assert.deepEqual(watch.take(path), []);
    assert.ok(isFailure(logs.failure));
  });

  it('are never synced again once their names could not be, unless only descriptors were short', async (t) => {
    const { path, logs } = await logsIn(t, '000003.log');
    const watch = await SyncWatch.begin(t);
    watch.failOn(path, 'EMFILE');
    await assert.rejects(logs.sync(), { code: 'EMFILE' });
    assert.equal(logs.failure, undefined);
    watch.failOn(path, 'EIO');
    await assert.rejects(logs.sync(), { code: 'STORE_FAILED' });
    watch.failOn(undefined, '');
    await assert.rejects(logs.sync(), { code: 'STORE_FAILED' });
    assert.notEqual(logs.failure, undefined);
  });
});
