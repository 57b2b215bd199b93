/** What a worker gathers for the primary. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  figuresFromList,
  isFigure,
  PROCESS_FIGURES,
  WORKER_COUNTS,
} from '../../../src/protocol/figures.ts';
import { isTally } from '../../../src/protocol/statistics.ts';
import { WorkerMeasures } from '../../../src/workers/metrics/worker-measures.ts';

describe('the measures of a worker', () => {
  it('gather its channel, its process and its hits into one tally', () => {
    const counters = { hit: 5, miss: 0, expire: 0, delete: 0 };
    const channel = {
      counts: { requests: 7, overloads: 2, timeouts: 1 },
      pendingCount: 3,
      unsentBytes: 90,
    };
    const records = { hits: 4, size: 6, bytes: 8000, bodyBytes: 30_000 };
    const writes = { underWay: 2, refused: 11 };
    const answers = { loanBytes: 4096, refused: 12 };
    const measures = new WorkerMeasures({ channel, counters, records, writes, answers });
    measures.traffic.counts.staleHits = 2;
    const [tally, figures] = measures.take();
    assert.ok(isTally(tally));
    const counts = figuresFromList(WORKER_COUNTS, tally);
    assert.deepEqual([counts.freshHits, counts.staleHits], [3, 2]);
    assert.deepEqual(
      [counts.channelRequests, counts.channelOverloads, counts.channelTimeouts],
      [7, 2, 1],
    );
    assert.ok(counts.cpuUserUs > 0);
    assert.deepEqual([figures.channelPending, figures.channelUnsentBytes], [3, 90]);
    assert.deepEqual([counts.heldHits, figures.heldRecords, figures.heldRecordBytes], [4, 6, 8000]);
    assert.equal(figures.heldBodyBytes, 30_000);
    assert.deepEqual([figures.writesUnderWay, counts.writesRefused], [2, 11]);
    assert.deepEqual([figures.answerBytes, counts.answersRefused], [4096, 12]);
    assert.deepEqual(Object.keys(figures).sort(), [...PROCESS_FIGURES].sort());
    for (const name of PROCESS_FIGURES) assert.ok(isFigure(figures[name]), name);
  });

  it('only grow', () => {
    const counters = { hit: 0, miss: 0, expire: 0, delete: 0 };
    const channel = {
      counts: { requests: 0, overloads: 0, timeouts: 0 },
      pendingCount: 0,
      unsentBytes: 0,
    };
    const measures = new WorkerMeasures({
      channel,
      counters,
      records: undefined,
      writes: { underWay: 0, refused: 0 },
      answers: { loanBytes: 0, refused: 0 },
    });
    const block = measures.traffic.add('/a', 'GET', [200]);
    const [before] = measures.take();
    measures.traffic.record(block, 200, 100);
    counters.hit += 1;
    channel.counts.requests += 1;
    const [after] = measures.take();
    assert.equal(after.length, before.length);
    assert.ok(after.every((value, at) => value >= (before[at] ?? 0)));
    assert.ok(after.some((value, at) => value > (before[at] ?? 0)));
  });
});
