/** The log of slow requests: what it says, and how little of it there can be. */
import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { newFigures, WORKER_COUNTS } from '../../../src/protocol/figures.ts';
import {
  SLOW_LINES_PER_WINDOW_MAX,
  SlowLog,
  type SlowRequest,
} from '../../../src/workers/metrics/slow-log.ts';

const REQUEST: SlowRequest = {
  requestId: 'r-1',
  route: '/cache/{key}',
  method: 'GET',
  key: 'a',
  status: 200,
  totalMs: 1500,
  storeMs: 1400,
};

function slowLog() {
  const lines: unknown[] = [];
  const counts = newFigures(WORKER_COUNTS);
  const log = new SlowLog({ log: { warn: (line: unknown) => lines.push(line) }, counts });
  const flood = (requests: number): void => {
    for (let nth = 0; nth < requests; nth++) log.note(() => REQUEST);
  };
  return { log, lines, counts, flood };
}

describe('the slow log', () => {
  it('tells of a slow request', () => {
    const { log, lines, counts } = slowLog();
    log.note(() => REQUEST);
    assert.deepEqual(lines, [REQUEST]);
    assert.equal(counts.slowRequests, 1);
    log.close();
    assert.equal(lines.length, 1);
  });

  it('does not become a flood, and says how many it left out', (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const { lines, counts, flood } = slowLog();
    flood(10_000);
    assert.equal(lines.length, SLOW_LINES_PER_WINDOW_MAX);
    mock.timers.tick(10_000);
    const leftOut = 10_000 - SLOW_LINES_PER_WINDOW_MAX;
    assert.deepEqual(lines.at(-1), { leftOut });
    assert.deepEqual([counts.slowRequests, counts.slowLinesLeftOut], [10_000, leftOut]);
    // A new window has room again, and tells nothing of the last one.
    flood(1);
    mock.timers.tick(10_000);
    assert.equal(lines.length, SLOW_LINES_PER_WINDOW_MAX + 2);
    assert.deepEqual(lines.at(-1), REQUEST);
  });

  it('asks for no description that it does not write', () => {
    const { log, flood } = slowLog();
    flood(SLOW_LINES_PER_WINDOW_MAX);
    log.note(() => assert.fail('it was left out'));
    log.close();
  });

  it('tells at its end what it left out', () => {
    const { log, lines, flood } = slowLog();
    flood(SLOW_LINES_PER_WINDOW_MAX + 3);
    log.close();
    assert.deepEqual(lines.at(-1), { leftOut: 3 });
  });
});
