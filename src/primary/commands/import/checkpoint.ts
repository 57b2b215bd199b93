/**
 * How far an import has come, on disk, so that one that was interrupted goes on. It is good for the
 * content that the store had when it was written: it names the store and its last clear, a restore, a
 * rebuild and a fresh start take it away, and nobody goes on with it where changes were lost.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../../directory/absent.ts';
import { writeFileAtomically } from '../../directory/durable-files.ts';
import { IMPORT_CHECKPOINT } from '../../directory/import-checkpoint.ts';
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

/** What a checkpoint is good for. */
export interface CheckpointScope {
  /** Real path of the original's database. */
  readonly from: string;
  readonly instanceId: string;
  /** Version of the last clear of the store. */
  readonly clearVersion: number;
}

/** What there is of an earlier import: nothing, what to go on with, or why it is of no use. */
export type EarlierImport = Checkpoint | { readonly ignored: string } | undefined;

export function newCounts(): ImportCounts {
  const reasons = Object.keys(SKIP_REASONS).map((reason) => [reason, 0]);
  return { json: 0, raw: 0, skipped: Object.fromEntries(reasons) };
}

export class CheckpointFile {
  readonly #path: string;
  readonly #scope: CheckpointScope;

  /** `directory` is the new store. */
  constructor(directory: string, scope: CheckpointScope) {
    this.#path = join(directory, IMPORT_CHECKPOINT);
    this.#scope = scope;
  }

  async read(): Promise<EarlierImport> {
    const text = await readFile(this.#path, 'utf8').catch(unlessMissing);
    if (text === undefined) return undefined;
    const fields = parse(text);
    if (fields === undefined) return { ignored: 'what it has noted cannot be read' };
    const { from, instanceId, clearVersion, after, counts } = fields;
    if (from !== this.#scope.from) return { ignored: 'it was of another database' };
    if (instanceId !== this.#scope.instanceId) return { ignored: 'it was into another store' };
    if (clearVersion !== this.#scope.clearVersion) {
      return { ignored: 'the store was cleared since' };
    }
    return { after: Buffer.from(after, 'base64'), counts };
  }

  /** REQUIRES: everything up to `after` is on the disk. */
  async write({ after, counts }: Checkpoint): Promise<void> {
    const text = JSON.stringify({ ...this.#scope, after: after.toString('base64'), counts });
    await writeFileAtomically(this.#path, `${this.#path}.new`, text);
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

interface StoredCheckpoint {
  readonly from: unknown;
  readonly instanceId: unknown;
  readonly clearVersion: unknown;
  readonly after: string;
  readonly counts: ImportCounts;
}

/** undefined where the text is not that of a checkpoint. */
function parse(text: string): StoredCheckpoint | undefined {
  try {
    const { from, instanceId, clearVersion, after, counts } = JSON.parse(text);
    const numbers = [counts.json, counts.raw];
    for (const reason of Object.keys(SKIP_REASONS)) numbers.push(counts.skipped[reason]);
    if (typeof after !== 'string' || !numbers.every(Number.isSafeInteger)) return undefined;
    return { from, instanceId, clearVersion, after, counts };
  } catch {
    return undefined;
  }
}
