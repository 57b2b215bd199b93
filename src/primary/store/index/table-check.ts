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
import { entriesOf, isSound } from './table-block.ts';

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
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
    const { size } = await file.stat();
    if (size !== bytes) throw new RangeError(`it has ${size} bytes instead of ${bytes}`);
    const footer = await readAt(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES);
    if (!footer.subarray(40).equals(MAGIC)) throw new RangeError('its end is damaged');
    const handles = new VarintReader(footer);
    const metaindex = readHandle(handles);
    const index = readHandle(handles);
    for (const { value } of entriesOf(await readIntact(file, metaindex))) {
      await readIntact(file, readHandle(new VarintReader(value)));
    }
    return await checkBlocks(file, await readIntact(file, index), depth);
  } finally {
    await file.close();
  }
}

/** Looks at the data blocks. In `index` each has a key that is not before its last one. */
async function checkBlocks(file: FileHandle, index: Buffer, depth: CheckDepth): Promise<number> {
  let damaged = 0;
  let after: Buffer | undefined;
  for (const { key, value } of entriesOf(index)) {
    const handle = readHandle(new VarintReader(value));
    // The keys of a block are not after its key in the index, so below `e` there are entries only.
    const isOfEntries = (key[0] ?? 0) <= ENTRY_BYTE;
    if (!isOfEntries) await readIntact(file, handle);
    else if (depth === 'everything') {
      const { content, isIntact, isCompressed } = await readBlock(file, handle);
      if (!isIntact) {
        if (isCompressed || !isSound(content, after, key)) throw damagedAt(handle);
        damaged += 1;
      }
    }
    after = key;
  }
  return damaged;
}

function readHandle(from: VarintReader): Handle {
  return { offset: from.number(), bytes: from.number() };
}

/** The content of a block, found as it was written; nothing where another program compressed it. */
async function readIntact(file: FileHandle, handle: Handle): Promise<Buffer> {
  const { content, isIntact, isCompressed } = await readBlock(file, handle);
  if (!isIntact) throw damagedAt(handle);
  return isCompressed ? EMPTY_BLOCK : content;
}

async function readBlock(file: FileHandle, { offset, bytes }: Handle): Promise<Block> {
  if (bytes > BLOCK_BYTES_MAX) throw new RangeError('a place of a block is damaged');
  const block = await readAt(file, offset, bytes + TRAILER_BYTES);
  return {
    content: block.subarray(0, bytes),
    isIntact: crcMatches(block.subarray(0, bytes + 1), block.readUInt32LE(bytes + 1)),
    isCompressed: block[bytes] !== 0,
  };
}

function damagedAt({ offset }: Handle): RangeError {
  return new RangeError(`the block at byte ${offset} is damaged`);
}

async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at);
  if (bytesRead < bytes) throw new RangeError(`it ends before byte ${at + bytes}`);
  return buffer;
}
