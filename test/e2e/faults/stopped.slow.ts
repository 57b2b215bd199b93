/** Processes that are stopped for a while and then go on, as a suspended or starved machine does it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../eventually.ts';
import { endProcess, isAlive, type ServerProcess } from '../server-process.ts';
import { withstands } from './under-fault.ts';

function anyWorker({ workerPids: [pid] }: ServerProcess): number {
  assert.ok(pid !== undefined);
  return pid;
}

async function stopFor(pid: number, ms: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await sleep(ms);
  process.kill(pid, 'SIGCONT');
}

describe('under load', () => {
  it('a worker that stands still for a moment goes on, and nothing is lost', async (t) => {
    const { acknowledged } = await withstands(t, {
      fault: async (server) => {
        for (let nth = 0; nth < 3; nth++) {
          await stopFor(anyWorker(server), 1000);
          await sleep(500);
        }
      },
    });
    assert.ok(acknowledged > 100);
  });

  it('a worker that stands still is replaced, and what it was stopped in never comes back', async (t) => {
    const { acknowledged } = await withstands(t, {
      fault: async (server) => {
        const pid = anyWorker(server);
        process.kill(pid, 'SIGSTOP');
        await sleep(12_000);
        // It was killed as silent.
        assert.ok(!server.workerPids.includes(pid), 'a worker that hangs is killed');
      },
    });
    assert.ok(acknowledged > 100);
  });

  it('a primary that stands still goes on with its workers, and nothing is lost', async (t) => {
    const { acknowledged } = await withstands(t, {
      fault: (server) => stopFor(server.pid, 4000),
    });
    assert.ok(acknowledged > 100);
  });

  it('all processes that stand still together go on', async (t) => {
    const { acknowledged } = await withstands(t, {
      fault: async (server) => {
        const pids = [server.pid, ...server.workerPids];
        for (const pid of pids) process.kill(pid, 'SIGSTOP');
        await sleep(4000);
        for (const pid of pids) process.kill(pid, 'SIGCONT');
      },
    });
    assert.ok(acknowledged > 100);
  });

  it('full strength is back soon after the death of a worker', async (t) => {
    const { recoveredMs } = await withstands(t, {
      fault: async (server) => {
        const pid = anyWorker(server);
        endProcess(pid);
        await eventually(() => !isAlive(pid));
      },
    });
    // 2 s are promised, for a machine that has nothing else to do.
    assert.ok(recoveredMs < 5000, `it took ${recoveredMs} ms`);
  });
});
