/**
 * The power fails: what the disk had not been told to keep is gone, in part or as a whole, at any
 * moment of a run that strace recorded. Then the store opens, and what it holds is judged by what was
 * acknowledged, and when.
 *
 * BIGCACHE_POWER_LOSS_POINTS sets the failures for each mode, BIGCACHE_POWER_LOSS_MS the length of
 * each run, BIGCACHE_TEST_SEED the seed.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Durability } from '../../../src/protocol/config.ts';
import { randomFrom, testSeed } from '../chaos/random.ts';
import { hasProgram } from '../server-process.ts';
import { RecordedRun } from './recorded-run.ts';

const POINTS = Number(process.env['BIGCACHE_POWER_LOSS_POINTS'] ?? 60);
const RUN_MS = Number(process.env['BIGCACHE_POWER_LOSS_MS'] ?? 10_000);

interface Outcome {
  lost: number;
  wrong: number;
  readonly samples: string[];
}

interface Test {
  after(cleanUp: () => Promise<void>): void;
  diagnostic(message: string): void;
}

/** Records a run, then lets the power fail at `points` places of it. */
async function failOften(
  t: Test,
  mode: Durability,
  windowMs: number,
  points: number,
  runMs: number,
): Promise<Outcome> {
  assert.ok(hasProgram('strace'), 'this test needs strace: apt-get install strace');
  const seed = testSeed();
  const random = randomFrom(seed);
  t.diagnostic(`${mode}: BIGCACHE_TEST_SEED=${seed}`);
  const run = await RecordedRun.record(t, mode, runMs, random);
  const outcome: Outcome = { lost: 0, wrong: 0, samples: [] };
  let acknowledged = 0;
  for (let nth = 0; nth < points; nth++) {
    const failure = run.anyFailure(random);
    const verdict = await run.judge(failure, windowMs, random);
    acknowledged += verdict.acknowledged;
    outcome.lost += verdict.lost.length;
    outcome.wrong += verdict.wrong.length;
    for (const what of [...verdict.lost.map((key) => `${key}: lost`), ...verdict.wrong]) {
      if (outcome.samples.length < 20) outcome.samples.push(`at ${failure.point}: ${what}`);
    }
  }
  const all = run.history.acknowledgedBy(Number.POSITIVE_INFINITY);
  t.diagnostic(
    `${mode}: ${all} operations acknowledged, ${run.events.length} changes and syncs recorded, ` +
      `slowest sync ${run.slowestSyncMs.toFixed(0)} ms; ${points} power failures after ` +
      `${acknowledged} acknowledgements: ${outcome.lost} lost, ${outcome.wrong} wrong`,
  );
  return outcome;
}

describe('after a power failure', () => {
  it('nothing acknowledged is lost with --durability always', async (t) => {
    const { lost, wrong, samples } = await failOften(t, 'always', 0, POINTS, RUN_MS);
    assert.deepEqual({ lost, wrong, samples }, { lost: 0, wrong: 0, samples: [] });
  });

  it('nothing acknowledged over a second before is lost with --durability interval', async (t) => {
    const { lost, wrong, samples } = await failOften(t, 'interval', 1000, POINTS, RUN_MS);
    assert.deepEqual({ lost, wrong, samples }, { lost: 0, wrong: 0, samples: [] });
  });

  it('much is lost with --durability none: the failures are real', async (t) => {
    const { lost } = await failOften(t, 'none', 1000, 10, RUN_MS / 2);
    assert.ok(lost > 0);
  });
});
