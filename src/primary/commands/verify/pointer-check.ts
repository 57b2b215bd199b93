/**
 * The third pass of a verification, made only where the second did not find all that the records point
 * to: it follows those records one by one, and so names the entries that are damaged.
 */
import { decodeRecord, type EntryRecord } from '../../../protocol/record.ts';
import { APPEND_HEADER_BYTES } from '../../../segments/format.ts';
import type { VerifiedWalk } from '../../../segments/verified-walk.ts';
import type { Index } from '../../store/index/index-files.ts';
import { type Findings, showKey } from './findings.ts';
import { recordsOf } from './record-check.ts';
import { foundAppend, openSegment, reportDifferences } from './segment-check.ts';

export interface PointerPass {
  readonly index: Index;
  readonly segmentsPath: string;
  readonly readsBodies: boolean;
  readonly clearVersion: number;
  readonly findings: Findings;
  /** Segments in which something was not found, each with up to where its appends could be found. */
  readonly suspects: ReadonlyMap<number, number>;
  /** Told now and then; answers whether to go on. */
  readonly goOn: (records: number) => boolean;
}

/** Follows every record that points into a suspect segment. */
export async function checkPointers(pass: PointerPass): Promise<void> {
  const files = new LastFile(pass);
  let records = 0;
  try {
    for await (const chunk of recordsOf(pass.index)) {
      for (const [key, value] of chunk) {
        const record = decodeRecord(Buffer.from(key), value);
        if (record === undefined || record.version <= pass.clearVersion) continue;
        if (pass.suspects.has(record.pointer.segment)) await follow(pass, files, key, record);
      }
      records += chunk.length;
      if (!pass.goOn(records)) return;
    }
  } finally {
    await files.close();
  }
}

async function follow(
  { findings, readsBodies, suspects }: PointerPass,
  files: LastFile,
  key: string,
  record: EntryRecord,
): Promise<void> {
  const { segment, offset } = record.pointer;
  const walk = await files.of(segment);
  const at = offset - Buffer.byteLength(key) - APPEND_HEADER_BYTES;
  const append = at < 0 ? undefined : await walk?.appendAt(at);
  if (walk === undefined || append === undefined || append.key !== key) {
    const where = `segment ${segment}, ${record.storedBytes} bytes from ${offset} on`;
    findings.problem('append-missing', `${showKey(key)}: ${where}`);
    return;
  }
  // The second pass has compared what it reached; what lies beyond may be sound all the same.
  if (at < (suspects.get(segment) ?? 0)) return;
  const bodyIsIntact = readsBodies ? await walk.bodyIsIntact(append) : undefined;
  reportDifferences(findings, segment, foundAppend(append, bodyIsIntact), record);
}

/** One open segment: neighbours in the index were often written together. */
class LastFile {
  readonly #pass: PointerPass;
  #id = 0;
  #walk: VerifiedWalk | undefined;

  constructor(pass: PointerPass) {
    this.#pass = pass;
  }

  async of(id: number): Promise<VerifiedWalk | undefined> {
    if (id === this.#id) return this.#walk;
    await this.close();
    this.#id = id;
    // Bodies are verified one by one here, so small pieces are read.
    this.#walk = await openSegment({ ...this.#pass, readsBodies: false }, id);
    return this.#walk;
  }

  async close(): Promise<void> {
    await this.#walk?.close();
    this.#walk = undefined;
  }
}
