/**
 * How far an import has come, on disk, so that one that was interrupted goes on.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../directory/durable-files.ts';
import { SKIP_REASONS, type SkipReason } from './original-entry.ts';

/** What an import has done so far. */
export interface ImportCounts {
  json: number;
  raw: number;
  readonly skipped: Record<SkipReason, number>;
}

export interface Checkpoint {
  /** The last key that is done, as it stands in the original. */
  readonly after: Buffer;
  readonly counts: ImportCounts;
}

const FILE = '.import.json';

export function newCounts(): ImportCounts {
  const reasons = Object.keys(SKIP_REASONS).map((reason) => [reason, 0]);
  return { json: 0, raw: 0, skipped: Object.fromEntries(reasons) };
}

export class CheckpointFile {
  readonly #directory: string;
  readonly #from: string;

  /** `directory` is the new store, `from` the real path of the original's database. */
  constructor(directory: string, from: string) {
    this.#directory = directory;
    this.#from = from;
  }

  /** The checkpoint of an earlier import from the same place; undefined where there is none. */
  async read(): Promise<Checkpoint | undefined> {
    const text = await readFile(join(this.#directory, FILE), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const { from, after, counts } = JSON.parse(text) as Record<string, unknown>;
    if (from !== this.#from || typeof after !== 'string') return undefined;
    return { after: Buffer.from(after, 'base64'), counts: counts as ImportCounts };
  }

  async write({ after, counts }: Checkpoint): Promise<void> {
    const text = JSON.stringify({ from: this.#from, after: after.toString('base64'), counts });
    const path = join(this.#directory, FILE);
    await writeFileAtomically(path, `${path}.new`, text);
  }

  async remove(): Promise<void> {
    await rm(join(this.#directory, FILE), { force: true });
  }
}
