/** Row 107. A write waits five seconds for room before it is refused. */
import assert from 'node:assert/strict';
import type { StatsFs } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer } from '../../workers/store/segment-store-setup.ts';
import { row } from './row.ts';
import { ServedStore } from './served-store.ts';

/** A disk that says of itself that it has no room, while `isFull`, and how often it has said so. */
function disk(t: TestContext): { isFull: boolean; timesTold: number } {
  const state = { isFull: false, timesTold: 0 };
  const { statfs } = fs;
  const told = async (path: string): Promise<StatsFs> => {
    const stats = await statfs(path);
    if (!state.isFull) return stats;
    state.timesTold += 1;
    return Object.assign(stats, { bavail: 0 });
  };
  Object.assign(fs, { statfs: told });
  syncBuiltinESMExports();
  t.after(() => {
    Object.assign(fs, { statfs });
    syncBuiltinESMExports();
  });
  return state;
}

row('107', async (t) => {
  const state = disk(t);
  const segmentBytes = 1024 * 1024;
  const server = await TestServer.start(await temporaryDirectory(t), Date.now, segmentBytes);
  t.after(() => server.stop());
  const worker = server.addWorker();
  const served = new ServedStore(t, worker.store);
  const body = 'x'.repeat(segmentBytes / 2);
  const write = (nth: number) => served.ask('POST', `/pickle/${nth}`, body);
  const kept: number[] = [];
  state.isFull = true;
  // It is asked four times a second, or as soon as a busy machine gets to it. The second time, the first is known.
  await eventually(() => state.timesTold >= 2);
  let nth = 0;
  for (; nth < 20; nth++) {
    const { status, code } = await write(nth);
    if (status === 507) {
      assert.equal(code, 'DISK_FULL');
      break;
    }
    assert.equal(status, 200);
    kept.push(nth);
  }
  assert.ok(nth < 20, 'a write was refused');
  // Whatever was acknowledged is read, but for what was evicted to make room, which says so.
  const readAll = async () => {
    for (const one of kept) {
      const { status } = await served.ask('GET', `/pickle/${one}`);
      if (status !== 200) assert.equal((await worker.store.explain(`${one}`)).reason, 'evicted');
    }
  };
  await readAll();
  assert.equal((await served.ask('GET', `/pickle/${nth}`)).status, 404);
  state.isFull = false;
  await eventually(async () => (await write(100)).status === 200, 15_000);
  assert.equal((await served.ask('GET', '/pickle/100')).status, 200);
  await readAll();
});
