/**
 * A clock that jumps an hour back and a day ahead, as faketime(1) makes it do: lifetimes follow the clock,
 * everything else goes by its own time.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { ServerProcess } from '../server-process.ts';
import { WritesBeside } from './writes-beside.ts';

const [LIBRARY = ''] = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .filter(existsSync);

describe('a clock that jumps', () => {
  it('ends the lifetimes that it passes, and harms nothing else', async (t) => {
    assert.notEqual(LIBRARY, '', 'libfaketime is installed');
    const shift = join(await temporaryDirectory(t), 'shift');
    const jumpTo = async (offset: string): Promise<void> => {
      writeFileSync(shift, `${offset}\n`);
      // The library looks at the file now and then.
      await sleep(3000);
    };
    writeFileSync(shift, '+0\n');
    const env = {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: shift,
      FAKETIME_CACHE_DURATION: '1',
      // What Node waits with goes by the clock that cannot be set.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const directory = await temporaryDirectory(t);
    const args = ['--db-path', directory, '--port', '0', '--workers', '2'];
    const server = ServerProcess.spawn(t, args, env);
    await server.listening();
    const workers = server.workerPids;
    const { url } = server;
    const write = async (key: string, body: string, seconds?: number): Promise<void> => {
      const headers = seconds === undefined ? {} : { 'cache-control': `max-age=${seconds}` };
      const answer = await fetch(`${url}/pickle/${key}`, { method: 'POST', body, headers });
      assert.equal(answer.status, 200);
    };
    const read = async (key: string, from = url): Promise<string | number> => {
      const answer = await fetch(`${from}/pickle/${key}`);
      return answer.status === 200 ? await answer.text() : answer.status;
    };
    await write('for-ever', 'first');
    await write('two-hours', 'short', 7200);
    const writes = new WritesBeside(url);

    await jumpTo('-3600');
    assert.equal(await read('for-ever'), 'first');
    assert.equal(await read('two-hours'), 'short');
    await write('for-ever', 'second');
    assert.equal(await read('for-ever'), 'second', 'a later write wins although it looks older');
    await write('one-hour', 'before the jump', 3600);

    await jumpTo('+86400');
    assert.equal(await read('two-hours'), 404);
    assert.equal(await read('one-hour'), 404);
    assert.equal(await read('for-ever'), 'second');
    await write('for-ever', 'third');
    await eventually(async () => (await read('for-ever')) === 'third');
    await writes.stop();
    t.diagnostic(`${writes.acknowledged} writes acknowledged over both jumps`);
    assert.ok(writes.acknowledged > 20);
    assert.deepEqual(await writes.lost(), []);
    assert.deepEqual(server.workerPids, workers, 'no worker was taken for silent');
    assert.equal(await server.stop(), 0);

    const again = await ServerProcess.start(t, directory, '--workers', '1');
    assert.equal(await read('for-ever', again.url), 'third', 'it is there under the right clock');
    assert.deepEqual(await writes.lost(again.url), []);
    assert.equal(await again.stop(), 0);
  });
});
