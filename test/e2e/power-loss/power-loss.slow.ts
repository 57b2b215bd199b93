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

const POINTS = Number(process.env['BIGCACHE_POWER_LOSS_POINTS'] ?? 55);
const RUN_MS = Number(process.env['BIGCACHE_POWER_LOSS_MS'] ?? 8_000);
/** Failures of a run that is known to lose something. */
const PROOF_POINTS = 8;

interface Outcome {
  lost: number;
  wrong: number;
  readonly samples: string[];
}

interface Test {
  after(cleanUp: () => Promise<void>): void;
  diagnostic(message: string): void;
}

async function record(t: Test, mode: Durability, random: () => number): Promise<RecordedRun> {
  assert.ok(hasProgram('strace'), 'this test needs strace: apt-get install strace');
  const run = await RecordedRun.record(t, mode, RUN_MS, random);
  t.diagnostic(
    `${mode}: ${run.history.acknowledgedBy(Number.POSITIVE_INFINITY)} operations acknowledged, ` +
      `${run.events.length} changes and syncs recorded, ` +
      `slowest sync ${run.slowestSyncMs.toFixed(0)} ms`,
  );
  return run;
}

/** Lets the power fail at `points` places of a run. */
async function failOften(
  t: Test,
  name: string,
  run: RecordedRun,
  { points, windowMs, random }: { points: number; windowMs: number; random: () => number },
): Promise<Outcome> {
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
  t.diagnostic(
    `${name}: ${points} power failures, ${acknowledged} acknowledged operations before them: ` +
      `${outcome.lost} lost, ${outcome.wrong} wrong`,
  );
  return outcome;
}

function randomOf(t: Test): () => number {
  const seed = testSeed();
  t.diagnostic(`BIGCACHE_TEST_SEED=${seed}`);
  return randomFrom(seed);
}

const NOTHING: Outcome = { lost: 0, wrong: 0, samples: [] };

/** What a server might forget to sync. */
const FORGOTTEN: Readonly<Record<string, (syncedPath: string) => boolean>> = {
  bodies: (path) => path.endsWith('.seg'),
  'names of segments': (path) => path === 'segments',
  'logs of the index': (path) => path.endsWith('.log'),
  'names in the index': (path) => path === 'index',
};

describe('after a power failure', () => {
  it('nothing acknowledged is lost with --durability always; a sync less, and much is', async (t) => {
    const random = randomOf(t);
    const run = await record(t, 'always', random);
    const all = await failOften(t, 'always', run, { points: POINTS, windowMs: 0, random });
    assert.deepEqual(all, NOTHING);
    for (const [what, isLeftOut] of Object.entries(FORGOTTEN)) {
      const less = run.without(isLeftOut);
      const how = { points: PROOF_POINTS, windowMs: 0, random };
      const { lost, wrong } = await failOften(t, `always, had it not synced ${what}`, less, how);
      assert.ok(lost + wrong > 0, `it is noticed that ${what} are not synced`);
    }
  });

  it('nothing acknowledged over a second before is lost with --durability interval', async (t) => {
    const random = randomOf(t);
    const run = await record(t, 'interval', random);
    const all = await failOften(t, 'interval', run, { points: POINTS, windowMs: 1000, random });
    assert.deepEqual(all, NOTHING);
  });

  it('much is lost with --durability none: the failures are real', async (t) => {
    const random = randomOf(t);
    const run = await record(t, 'none', random);
    const how = { points: PROOF_POINTS, windowMs: 1000, random };
    const { lost } = await failOften(t, 'none', run, how);
    assert.ok(lost > 0);
  });
});
