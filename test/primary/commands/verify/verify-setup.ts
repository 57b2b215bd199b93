/** What a run of `bigcache verify` finds, for the tests of it. */
import assert from 'node:assert/strict';
import { runVerify } from '../../../../src/primary/commands/verify/command.ts';
import { outcomeOf, QUIET } from '../stopped-store-setup.ts';

export interface Found {
  readonly code: number;
  /** Kinds of problems with their counts. */
  readonly problems: Record<string, number>;
  readonly notes: Record<string, number>;
  readonly document: {
    readonly sound: boolean;
    readonly records: Record<string, number> | null;
    readonly segments: Record<string, number>;
    readonly problems: { kind: string; count: number; examples: string[] }[];
  };
}

export async function verify(path: string, fast = false): Promise<Found> {
  const { code, out } = await outcomeOf((write) =>
    runVerify(path, { fast, json: true }, write, QUIET),
  );
  const document = JSON.parse(out);
  const counts = (findings: { kind: string; count: number }[]): Record<string, number> =>
    Object.fromEntries(findings.map(({ kind, count }) => [kind, count]));
  const [problems, notes] = [counts(document.problems), counts(document.notes)];
  assert.equal(code, document.sound ? 0 : 3);
  assert.equal(document.sound, Object.keys(problems).length === 0);
  return { code, problems, notes, document };
}

/** Verification finds exactly these problems. */
export async function finds(
  path: string,
  problems: Record<string, number>,
  fast = false,
): Promise<Found> {
  const found = await verify(path, fast);
  assert.deepEqual(found.problems, problems, JSON.stringify(found.document.problems));
  return found;
}
