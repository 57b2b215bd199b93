/**
 * What LevelDB's MANIFEST says the index consists of. LevelDB takes a MANIFEST that was cut for an
 * older one and deletes the tables that it does not name, so the primary reads it first.
 */
import { readRecords } from './log-records.ts';

export interface Manifest {
  /** The oldest log that is still needed; its file is there whenever the MANIFEST names it. */
  readonly logNumber: number;
  /** Table -> its length in bytes. */
  readonly tables: ReadonlyMap<number, number>;
}

/** Tags of a version edit, as LevelDB numbers them. */
const Tag = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  prevLogNumber: 9,
} as const;

/** Reads LevelDB's variable-length integers and strings, one after the other. */
export class VarintReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Where it reads next. */
  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Throws a RangeError at the end of the bytes, and for numbers that are not safe integers. */
  number(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 127) * factor;
      if (byte < 128 && Number.isSafeInteger(value)) return value;
    }
    throw new RangeError('a number is damaged');
  }

  text(): Buffer {
    return this.bytes(this.number());
  }

  bytes(length: number): Buffer {
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new RangeError('a text is cut');
    this.#at += length;
    return bytes;
  }
}

/** Throws a RangeError that says what is wrong when the file is damaged. */
export function readManifest(file: Buffer): Manifest {
  const records = readRecords(file);
  if (records.length === 0) throw new RangeError('it has no record');
  const manifest = { logNumber: 0, tables: new Map<number, number>() };
  for (const record of records) applyEdit(manifest, new VarintReader(record));
  return manifest;
}

function applyEdit(
  manifest: { logNumber: number; tables: Map<number, number> },
  edit: VarintReader,
): void {
  const deleted: number[] = [];
  const added: [number, number][] = [];
  while (!edit.isAtEnd) {
    const tag = edit.number();
    if (tag === Tag.comparator) edit.text();
    else if (tag === Tag.logNumber) manifest.logNumber = edit.number();
    else if (tag === Tag.nextFile || tag === Tag.lastSequence || tag === Tag.prevLogNumber)
      edit.number();
    else if (tag === Tag.compactPointer) {
      edit.number();
      edit.text();
    } else if (tag === Tag.deletedFile) {
      edit.number();
      deleted.push(edit.number());
    } else if (tag === Tag.newFile) {
      edit.number();
      added.push([edit.number(), edit.number()]);
      edit.text();
      edit.text();
    } else throw new RangeError(`an edit has the unknown tag ${tag}`);
  }
  // A table that moves to another level is deleted and added in one edit.
  for (const table of deleted) manifest.tables.delete(table);
  for (const [table, bytes] of added) manifest.tables.set(table, bytes);
}
