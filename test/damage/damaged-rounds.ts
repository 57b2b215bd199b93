/** A pristine store, damaged in many rounds, and what all of them must hold. */
import assert from 'node:assert/strict';
import { randomFrom, testSeed } from '../e2e/chaos/random.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { FILE_KINDS, type FileKind } from './damaging.ts';
import { makePristine } from './pristine-store.ts';
import { faultsOf, figuresOf, runRounds } from './rounds.ts';

interface Test {
  after(cleanUp: () => Promise<void>): void;
  diagnostic(message: string): void;
}

/** Damages files of one kind, or of all kinds in turn; prints the seed and the figures. */
export async function withstandsDamage(t: Test, rounds: number, kind?: FileKind): Promise<void> {
  const seed = testSeed();
  t.diagnostic(`BIGCACHE_TEST_SEED=${seed}`);
  const [pristinePath, scratch] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  const pristine = await makePristine(pristinePath, randomFrom(seed));
  const options = { pristinePath, pristine, scratch, seed, rounds };
  const outcome = await runRounds(kind === undefined ? options : { ...options, kind });
  for (const one of kind === undefined ? FILE_KINDS : [kind]) t.diagnostic(figuresOf(one, outcome));
  assert.deepEqual(outcome.crashes, []);
  assert.equal(outcome.results.length, rounds);
  const faults = outcome.results.flatMap((result) =>
    faultsOf(result).map((fault) => `round ${result.round}: ${fault}: ${result.damage}`),
  );
  assert.deepEqual(faults, [], `BIGCACHE_TEST_SEED=${seed}`);
}
