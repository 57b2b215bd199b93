/**
 * The report of a verification, for people and for programs.
 */
import { showBytes } from '../sizes.ts';
import type { Finding } from './findings.ts';
import type { VerifyResult } from './verify-run.ts';

/** Whether everything was looked at and nothing is damaged. */
export function isSound({ findings, isComplete }: VerifyResult): boolean {
  return isComplete && findings.problems.length === 0;
}

/** Lines for people, ending with a line break. */
export function reportText(result: VerifyResult): string {
  const { findings, segments, readsBodies } = result;
  const read = readsBodies ? `${showBytes(segments.bodyBytesRead)} read` : 'not read (--fast)';
  const lines = [
    `store     ${result.path}`,
    `entries   ${entriesText(result)}`,
    `segments  ${segments.files} files, ${showBytes(segments.bytes)}; ` +
      `${segments.appends} appends, ${segments.voidAppends} of them void`,
    `bodies    ${read}`,
    ...findings.notes.flatMap((note) => findingLines('note', note)),
    ...findings.problems.flatMap((problem) => findingLines('problem', problem)),
    verdict(result),
  ];
  return `${lines.join('\n')}\n`;
}

function entriesText({ records, pendingPurges }: VerifyResult): string {
  if (records === undefined) return 'not known';
  const { readable, expired, purged, damaged } = records;
  const parts = [`${readable} readable`, `${expired} expired`, `${purged} purged`];
  if (damaged > 0) parts.push(`${damaged} damaged`);
  return `${parts.join(', ')}; ${pendingPurges} purges pending`;
}

function findingLines(word: string, { kind, what, count, examples }: Finding): string[] {
  const more = count > examples.length ? [`    and ${count - examples.length} more`] : [];
  return [
    `${word.padEnd(10)}${kind}, ${count}: ${what}`,
    ...examples.map((example) => `    ${example}`),
    ...more,
  ];
}

function verdict(result: VerifyResult): string {
  if (!result.isComplete) return 'interrupted: not everything was looked at';
  if (isSound(result)) return 'sound';
  const count = result.findings.problems.reduce((sum, problem) => sum + problem.count, 0);
  return `damaged: ${count} ${count === 1 ? 'problem' : 'problems'}`;
}

/** One JSON document with the same content, ending with a line break. */
export function reportJson(result: VerifyResult): string {
  const { findings, records, ...rest } = result;
  const document = {
    sound: isSound(result),
    ...rest,
    records: records ?? null,
    problems: findings.problems,
    notes: findings.notes,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
