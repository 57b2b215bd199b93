/** Processes that are stopped for a while and then go on, as a suspended or starved machine does it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../../../bench/median.ts';
import { eventually } from '../../eventually.ts';
import { endProcess, isAlive, type ServerProcess } from '../server-process.ts';
import { isWhole, withstands } from './under-fault.ts';

const DEATHS = 5;
/** Promised, beside the load; the median of so many deaths keeps to it. */
const FULL_STRENGTH_MS = 2000;
const WHOLE_WITHIN_MS = 15_000;

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
    const tookMs: number[] = [];
    await withstands(t, {
      fault: async (server) => {
        for (let nth = 0; nth < DEATHS; nth++) {
          const pid = anyWorker(server);
          const diedAtMs = performance.now();
          endProcess(pid);
          await eventually(() => !isAlive(pid));
          await eventually(() => isWhole(server), WHOLE_WITHIN_MS);
          tookMs.push(performance.now() - diedAtMs);
          await sleep(500);
        }
      },
    });
    t.diagnostic(`all workers listened ${tookMs.map((ms) => ms.toFixed(0)).join(', ')} ms after`);
    const middleMs = median(tookMs);
    assert.ok(middleMs < FULL_STRENGTH_MS, `it took ${middleMs} ms`);
  });
});
