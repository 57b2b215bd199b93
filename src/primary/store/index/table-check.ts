/**
 * Verifies the checksums in a table of LevelDB's, which LevelDB itself does not: of the blocks that
 * lead to its records, and of those that say what is true of the store as a whole. Records of entries
 * have a checksum of their own, found wrong when they are read. Run by the primary before an open.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crcMatches } from './crc32c.ts';
import { ENTRY_BYTE } from './index-keys.ts';
import { VarintReader } from './manifest.ts';

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** The longest block that is believed: LevelDB's are 4 KiB and one record, filters of 2 MiB tables less. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024;

/** No entries and no restarts. */
const EMPTY_BLOCK = Buffer.alloc(4);

interface Handle {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Throws a RangeError that says what is wrong when the table is damaged. `bytes` is its length by the
 * MANIFEST. With `everything` the records of entries are verified too.
 */
export async function checkTable(path: string, bytes: number, everything: boolean): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size !== bytes) throw new RangeError(`it has ${size} bytes instead of ${bytes}`);
    const footer = await readAt(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES);
    if (!footer.subarray(40).equals(MAGIC)) throw new RangeError('its end is damaged');
    const handles = new VarintReader(footer);
    const metaindex = readHandle(handles);
    const index = readHandle(handles);
    const filters = entriesOf(await readBlock(file, metaindex));
    for (const { value } of filters) await readBlock(file, readHandle(new VarintReader(value)));
    for (const { key, value } of entriesOf(await readBlock(file, index))) {
      // The key is not before the last one of its block, so below it there are entries only.
      const isOfEntries = (key[0] ?? 0) <= ENTRY_BYTE;
      if (everything || !isOfEntries) await readBlock(file, readHandle(new VarintReader(value)));
    }
  } finally {
    await file.close();
  }
}

function readHandle(from: VarintReader): Handle {
  return { offset: from.number(), bytes: from.number() };
}

/** The content of a block, found as it was written; nothing where another program compressed it. */
async function readBlock(file: FileHandle, { offset, bytes }: Handle): Promise<Buffer> {
  if (bytes > BLOCK_BYTES_MAX) throw new RangeError('a place of a block is damaged');
  const block = await readAt(file, offset, bytes + TRAILER_BYTES);
  if (!crcMatches(block.subarray(0, bytes + 1), block.readUInt32LE(bytes + 1))) {
    throw new RangeError(`the block at byte ${offset} is damaged`);
  }
  return block[bytes] === 0 ? block.subarray(0, bytes) : EMPTY_BLOCK;
}

/** The entries of a block: each key shares its begin with the one before it. */
function entriesOf(block: Buffer): { key: Buffer; value: Buffer }[] {
  const restarts = block.readUInt32LE(block.length - 4);
  const content = new VarintReader(block.subarray(0, block.length - 4 - 4 * restarts));
  const entries: { key: Buffer; value: Buffer }[] = [];
  let before: Buffer = Buffer.alloc(0);
  while (!content.isAtEnd) {
    const [shared, unshared, length] = [content.number(), content.number(), content.number()];
    const key = Buffer.concat([before.subarray(0, shared), content.bytes(unshared)]);
    entries.push({ key, value: content.bytes(length) });
    before = key;
  }
  return entries;
}

async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at);
  if (bytesRead < bytes) throw new RangeError(`it ends before byte ${at + bytes}`);
  return buffer;
}
