/** `bigcache backup` and `restore` of a stopped store, as a command line runs them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { cli } from '../../../../src/primary/cli.ts';
import { placedText } from '../../../../src/primary/commands/placed-text.ts';
import { showBytes } from '../../../../src/primary/commands/sizes.ts';
import { ControlServer } from '../../../../src/primary/control/control-server.ts';
import { contentOf, RAW, servedStore } from '../../store/backup/backup-setup.ts';
import { SILENT } from '../../store/store-setup.ts';
import { digests } from '../stopped-store-setup.ts';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const run = (...args: string[]): Promise<Outcome> => runWith({}, ...args);

async function runWith(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  let [out, err] = ['', ''];
  const code = await cli(args, {
    env,
    forked: false,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    serve: () => assert.fail('no server is started'),
  });
  return { code, out, err };
}

describe('a stopped store', () => {
  it('is backed up and restored by two commands', async (t) => {
    const { server, worker, place } = await servedStore(t);
    await worker.store.put('key', RAW, Buffer.from('body'));
    await server.stop();
    const backup = await run('backup', '--db-path', place('store'), '--to', place('backup'));
    assert.equal(backup.code, 0, backup.err);
    assert.match(backup.out, /^1 entries backed up into .*\/backup in \d+\.\d s\n/);
    assert.match(backup.out, /segments: 1 linked \(\d+ B\), 0 copied \(0 B\)\nwrites waited/);
    const refused = await run('restore', '--db-path', place('store'), '--from', place('backup'));
    assert.deepEqual([refused.code, refused.out], [1, '']);
    assert.match(refused.err, /^bigcache: .* holds a store; with --replace [^\n]+\n$/);
    const arguments_ = ['--db-path', place('store'), '--from', place('backup'), '--replace'];
    const restored = await run('restore', ...arguments_);
    assert.equal(restored.code, 0, restored.err);
    assert.match(
      restored.out,
      /1 entries restored into .*\nwhat was there before is in .*before-/s,
    );
    assert.equal((await contentOf(place('store'), ['key'])).get('key'), 'body');
  });

  it('is what it was after its backup, also where a server would have to evict', async (t) => {
    const { server, worker, place } = await servedStore(t);
    for (const key of ['one', 'two']) await worker.store.put(key, RAW, Buffer.alloc(50_000, key));
    await server.stop();
    const before = await digests(place('store'));
    const env = { BIGCACHE_MIN_FREE: '100TiB', BIGCACHE_MAX_SIZE: '64MiB' };
    const to = place('backup');
    const { code, err } = await runWith(env, 'backup', '--db-path', place('store'), '--to', to);
    assert.equal(code, 0, err);
    assert.deepEqual(await digests(place('store')), before);
    assert.equal((await contentOf(to, ['one', 'two'])).size, 2);
    const again = await run('restore', '--db-path', place('new'), '--from', to);
    assert.equal(again.code, 0, again.err);
  });

  it('is backed up as a killed server has left it', async (t) => {
    const { worker, place } = await servedStore(t);
    await worker.store.put('key', RAW, Buffer.from('body'));
    await cp(place('store'), place('killed'), { recursive: true });
    const to = place('backup');
    const { code, out, err } = await run('backup', '--db-path', place('killed'), '--to', to);
    assert.equal(code, 0, err);
    assert.match(out, /segments: 1 linked/);
    assert.equal((await contentOf(to, ['key'])).get('key'), 'body');
    assert.equal((await contentOf(place('killed'), ['key'])).get('key'), 'body');
  });

  it('is not backed up while part of its log is lost, or its index is damaged', async (t) => {
    const { server, worker, place } = await servedStore(t);
    await worker.store.put('key', RAW, Buffer.from('body'));
    await server.stop();
    const index = join(place('store'), 'index');
    const log = readdirSync(index).find((name) => name.endsWith('.log')) ?? '';
    const bytes = statSync(join(index, log)).size;
    await truncate(join(index, log), bytes - 10);
    const arguments_ = ['backup', '--db-path', place('store'), '--to', place('backup')];
    const lost = await run(...arguments_);
    assert.equal(lost.code, 1);
    assert.match(
      lost.err,
      /part of the log of the index .* is damaged .*start the server on it once/,
    );
    await rm(join(index, 'CURRENT'));
    const damaged = await run(...arguments_);
    assert.equal(damaged.code, 1);
    assert.match(damaged.err, /the index .* is damaged \(its file CURRENT is missing\)/);
    assert.ok(!existsSync(place('backup')));
  });

  it('is not made by a backup of a directory that holds none', async (t) => {
    const { place } = await servedStore(t);
    const { code, err } = await run('backup', '--db-path', place('typo'), '--to', place('backup'));
    assert.equal(code, 1);
    assert.match(err, /there is no store in .*typo/);
    assert.ok(!existsSync(place('typo')) && !existsSync(place('backup')));
  });

  it('is not backed up at a rate that is none, or to nowhere', async () => {
    for (const rate of ['fast', '1KiB', '8G', '-1']) {
      const { code, err } = await run('backup', '--to', '/backup', `--rate=${rate}`);
      assert.equal(code, 2, rate);
      assert.match(err, /--rate takes a size from 1MiB to 100GiB, not/);
    }
    assert.equal((await run('backup')).code, 2);
    assert.equal((await run('restore')).code, 2);
  });
});

describe('a store that a server runs on', () => {
  it('is not touched by a command of another version', async (t) => {
    const { server, place } = await servedStore(t);
    const control = await ControlServer.start({
      directory: server.directory.path,
      service: { serve: async () => ({ pid: 1, version: '99.0.0', uptimeMs: 1 }) },
      log: SILENT,
    });
    const { code, err } = await run('backup', '--db-path', place('store'), '--to', place('backup'));
    await control.stop();
    assert.equal(code, 1);
    assert.match(err, /the server runs version 99\.0\.0 and this is .*; restart the server first/);
    assert.ok(!existsSync(join(place('backup'))));
  });

  it('and that hears no commands is refused, since it is in use', async (t) => {
    const { place } = await servedStore(t);
    const { code, err } = await run('backup', '--db-path', place('store'), '--to', place('backup'));
    assert.equal(code, 1);
    assert.match(err, /is in use by another BigCache process/);
  });
});

describe('bytes in a report', () => {
  it('are told in the unit that fits', () => {
    assert.deepEqual([0, 1023, 1024, 1024 ** 2 * 12.34, 1024 ** 4 * 5000].map(showBytes), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '12.3 MiB',
      '5000.0 TiB',
    ]);
    const placed = { linkedFiles: 2, linkedBytes: 2048, copiedFiles: 1, copiedBytes: 7 };
    assert.equal(placedText(placed), '2 linked (2.0 KiB), 1 copied (7 B)');
  });
});
