/**
 * What a verification finds: problems, and notes about what is normal. Each kind has a sentence, a
 * count, and the first few examples, so that a report is short whatever the damage.
 */
import { loggedKey } from '../../../protocol/logged-key.ts';

/** Kinds of damage. Programs see the names: never rename. */
export const PROBLEMS = {
  'store-damaged': 'the directory lacks what makes it a store',
  'index-unreadable': 'the index cannot be opened as it is',
  'index-not-as-stored': 'the index opens with other content than was stored',
  'log-dropped': 'parts of the log of the index cannot be read, so changes are lost',
  'table-damaged': 'tables of the index with damaged records in them',
  'index-key-unknown': 'keys in the index that mean nothing',
  'state-damaged': 'numbers, purges or accounting in the index that cannot be read',
  'record-damaged': 'records that are not as they were written',
  'segment-unknown': 'records that point into a segment which the index does not know',
  'segment-missing': 'files of segments that are missing, with entries in them',
  'append-missing': 'records that point to no sound append of their key',
  'append-differs': 'records that say otherwise than their append',
  'body-damaged': 'bodies of entries that are not as they were written',
  'count-wrong': 'the number of entries is not what the index says',
  'accounting-wrong': 'segments whose accounting is not what their records come to',
  'numbering-wrong': 'numbers that would be given a second time',
  'segment-header-damaged': 'headers of segment files that are not as they were written',
  'segment-damaged': 'places in segment files that are not as they were written',
  'stray-file': 'files among the segments that the index does not know',
} as const;

/** Kinds of what is worth knowing and no damage. */
export const NOTES = {
  'torn-tail': 'ends of segment files that a killed writer left behind (normal)',
  'unused-body-damaged': 'bodies that are not as they were written, and belong to no entry',
  'report-damaged': 'reports of purges that have ended, which cannot be read',
  'segment-damaged':
    'places in segment files that are not as they were written; entries that need them are problems',
} as const;

export type ProblemKind = keyof typeof PROBLEMS;
export type NoteKind = keyof typeof NOTES;

export interface Finding<Kind extends string = string> {
  readonly kind: Kind;
  readonly what: string;
  count: number;
  /** The first ones, each in one line. */
  readonly examples: string[];
}

/** Examples shown of each kind. */
const EXAMPLES_MAX = 20;

export class Findings {
  readonly #problems = new Map<string, Finding<ProblemKind>>();
  readonly #notes = new Map<string, Finding<NoteKind>>();

  get problems(): readonly Finding<ProblemKind>[] {
    return [...this.#problems.values()];
  }

  get notes(): readonly Finding<NoteKind>[] {
    return [...this.#notes.values()];
  }

  problem(kind: ProblemKind, example: string): void {
    add(this.#problems, kind, PROBLEMS[kind], example);
  }

  note(kind: NoteKind, example: string): void {
    add(this.#notes, kind, NOTES[kind], example);
  }
}

function add<Kind extends string>(
  findings: Map<string, Finding<Kind>>,
  kind: Kind,
  what: string,
  example: string,
): void {
  let finding = findings.get(kind);
  if (finding === undefined) {
    finding = { kind, what, count: 0, examples: [] };
    findings.set(kind, finding);
  }
  finding.count += 1;
  if (finding.examples.length < EXAMPLES_MAX) finding.examples.push(example);
}

/** A key in a report: quoted, escaped, and cut when it is long. */
export function showKey(key: string): string {
  return `"${loggedKey(key).replaceAll('"', '\\"')}"`;
}
