/**
 * Verifies the checksums in a table of LevelDB's, which LevelDB itself does not: it takes what it
 * finds, and where that makes no sense it may end the process. Run by the primary before an open, and
 * by a job thread for the tables of a large index.
 *
 * A block of which only records of entries are damaged is let pass: those have a checksum of their
 * own, and are found damaged when they are read.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crcMatches } from './crc32c.ts';
import { ENTRY_BYTE } from './index-keys.ts';
import { VarintReader } from './manifest.ts';
import { entriesFromEnd, entriesOf, isSound } from './table-block.ts';

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
/** Of a table, the part in which its index, its filter and its footer fit, with short records too. */
const END_SHARE = 1 / 32;
const END_BYTES_MIN = 64 * 1024;
/** A table that is looked at whole is read in one piece up to this; LevelDB's end at 8 MiB. */
const WHOLE_BYTES_MAX = 16 * 1024 * 1024;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** The longest block that is believed; LevelDB's are some KiB, and the filter of a table some more. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024;

/** No entries and no restarts. */
const EMPTY_BLOCK = Buffer.alloc(4);

interface Handle {
  readonly offset: number;
  readonly bytes: number;
}

interface Block {
  readonly content: Buffer;
  readonly isIntact: boolean;
  readonly isCompressed: boolean;
}

/** How much of a table is looked at: what leads to its records and says what is true, or all. */
export type CheckDepth = 'state' | 'everything';

/**
 * Answers how many blocks have damaged records in them. Throws a RangeError that says what is wrong
 * when the table cannot be used. `bytes` is its length by the MANIFEST.
 */
export async function checkTable(path: string, bytes: number, depth: CheckDepth): Promise<number> {
  const file = await open(path, 'r');
  try {
    const table = await TableBytes.of(file, bytes, firstRead(bytes, depth));
    const footer = await table.read(Math.max(0, bytes - FOOTER_BYTES), FOOTER_BYTES);
    if (!footer.subarray(40).equals(MAGIC)) throw new RangeError('its end is damaged');
    const handles = new VarintReader(footer);
    const metaindex = readHandle(handles);
    const index = readHandle(handles);
    for (const { value } of entriesOf(await readIntact(table, metaindex))) {
      await readIntact(table, readHandle(new VarintReader(value)));
    }
    const content = await readIntact(table, index);
    if (depth === 'everything') return await checkBlocks(table, content);
    await checkState(table, content);
    return 0;
  } finally {
    await file.close();
  }
}

/**
 * How many bytes at the end of a table are read first, in one piece. All but its data blocks stand there,
 * and a start looks at hundreds of tables.
 */
function firstRead(bytes: number, depth: CheckDepth): number {
  if (depth === 'everything' && bytes <= WHOLE_BYTES_MAX) return bytes;
  return Math.max(END_BYTES_MIN, Math.ceil(bytes * END_SHARE));
}

/** The bytes of a table, of which the end has been read. */
class TableBytes {
  readonly #file: FileHandle;
  readonly #end: Buffer;
  readonly #endAt: number;

  private constructor(file: FileHandle, end: Buffer, endAt: number) {
    this.#file = file;
    this.#end = end;
    this.#endAt = endAt;
  }

  /** Throws a RangeError where the file is shorter than `bytes`, or longer. */
  static async of(file: FileHandle, bytes: number, first: number): Promise<TableBytes> {
    const endAt = Math.max(0, bytes - first);
    // One byte more, which must not be there.
    const buffer = Buffer.allocUnsafe(bytes - endAt + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, endAt);
    if (endAt + bytesRead !== bytes) {
      const { size } = await file.stat();
      throw new RangeError(`it has ${size} bytes instead of ${bytes}`);
    }
    return new TableBytes(file, buffer.subarray(0, bytesRead), endAt);
  }

  async read(at: number, bytes: number): Promise<Buffer> {
    if (at >= this.#endAt) {
      const found = this.#end.subarray(at - this.#endAt, at - this.#endAt + bytes);
      if (found.length < bytes) throw endsBefore(at + bytes);
      return found;
    }
    const buffer = Buffer.allocUnsafe(bytes);
    const { bytesRead } = await this.#file.read(buffer, 0, bytes, at);
    if (bytesRead < bytes) throw endsBefore(at + bytes);
    return buffer;
  }
}

/**
 * Looks at the blocks that say what is true. In `index` each has a key that is not before its last
 * one, so where that is not beyond `e`, it and all before it hold entries only.
 */
async function checkState(table: TableBytes, index: Buffer): Promise<void> {
  for (const { key, value } of entriesFromEnd(index)) {
    if (isOfEntries(key)) return;
    await readIntact(table, readHandle(new VarintReader(value)));
  }
}

/** Looks at all data blocks. */
async function checkBlocks(table: TableBytes, index: Buffer): Promise<number> {
  let damaged = 0;
  let after: Buffer | undefined;
  for (const { key, value } of entriesOf(index)) {
    const handle = readHandle(new VarintReader(value));
    if (!isOfEntries(key)) await readIntact(table, handle);
    else {
      const { content, isIntact, isCompressed } = await readBlock(table, handle);
      if (!isIntact) {
        if (isCompressed || !isSound(content, after, key)) throw damagedAt(handle);
        damaged += 1;
      }
    }
    after = key;
  }
  return damaged;
}

const isOfEntries = (key: Buffer): boolean => (key[0] ?? 0) <= ENTRY_BYTE;

function readHandle(from: VarintReader): Handle {
  return { offset: from.number(), bytes: from.number() };
}

/** The content of a block, found as it was written; nothing where another program compressed it. */
async function readIntact(table: TableBytes, handle: Handle): Promise<Buffer> {
  const { content, isIntact, isCompressed } = await readBlock(table, handle);
  if (!isIntact) throw damagedAt(handle);
  return isCompressed ? EMPTY_BLOCK : content;
}

async function readBlock(table: TableBytes, { offset, bytes }: Handle): Promise<Block> {
  if (bytes > BLOCK_BYTES_MAX) throw new RangeError('a place of a block is damaged');
  const block = await table.read(offset, bytes + TRAILER_BYTES);
  return {
    content: block.subarray(0, bytes),
    isIntact: crcMatches(block.subarray(0, bytes + 1), block.readUInt32LE(bytes + 1)),
    isCompressed: block[bytes] !== 0,
  };
}

function damagedAt({ offset }: Handle): RangeError {
  return new RangeError(`the block at byte ${offset} is damaged`);
}

function endsBefore(byte: number): RangeError {
  return new RangeError(`it ends before byte ${byte}`);
}
