/** What becomes of workers that hang, come and go, or are waited for by a server that was held up. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { descriptorCount, isAlive, ServerProcess } from './server-process.ts';

/** On a connection of its own: a kept one may end with its worker. */
const ALONE = { headers: { connection: 'close' } };

describe('a server with workers', () => {
  it('kills and replaces a worker that hangs', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    const [hanging] = server.workerPids;
    assert.ok(hanging !== undefined);
    process.kill(hanging, 'SIGSTOP');
    await eventually(() => !isAlive(hanging), 12_000);
    await eventually(() => server.workerPids.length === 2, 10_000);
    assert.equal(await server.stop(), 0);
  });

  it('keeps its workers when it was itself held up for a while', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    const workers = server.workerPids;
    await sleep(1500);
    process.kill(server.pid, 'SIGSTOP');
    await sleep(6500);
    process.kill(server.pid, 'SIGCONT');
    await sleep(1500);
    assert.deepEqual(server.workerPids, workers);
    assert.equal(await server.stop(), 0);
  });

  it('does not pile up descriptors while workers come and go', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    const killOne = async (): Promise<void> => {
      await sleep(1200);
      const victim = server.workerPids.find(isAlive);
      assert.ok(victim !== undefined);
      process.kill(victim, 'SIGKILL');
      await eventually(() => !isAlive(victim));
      await eventually(async () => (await fetch(`${server.url}/healthz`, ALONE)).status === 200);
      await eventually(() => server.workerPids.length === 2, 10_000);
    };
    await killOne();
    const before = descriptorCount(server.pid);
    for (let round = 0; round < 3; round++) await killOne();
    await eventually(() => descriptorCount(server.pid) <= before, 10_000);
    assert.equal(await server.stop(), 0);
  });
});
