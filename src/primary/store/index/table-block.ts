/**
 * The inside of a block in a table of LevelDB's: entries that each share the begin of their key with
 * the one before, then restarts, the places of entries that share nothing. Keys are internal ones: the
 * key, then eight bytes of sequence number and type. See LevelDB's doc/table_format.md.
 */
import { VarintReader } from './manifest.ts';

export interface BlockEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

const TAG_BYTES = 8;
const DELETION = 0;
const VALUE = 1;

/** The entries of an intact block. Throws a RangeError where it makes no sense. */
export function entriesOf(block: Buffer): BlockEntry[] {
  return parse(block).map(({ key, value }) => ({ key, value }));
}

/**
 * Whether LevelDB can use a block whose checksum is wrong: its structure is whole, and its keys are in
 * order, after `after` and not beyond `last`. A structure that is not makes LevelDB end the process.
 */
export function isSound(block: Buffer, after: Buffer | undefined, last: Buffer): boolean {
  try {
    const entries = parse(block);
    if (!restartsAreSound(block, entries)) return false;
    let before = after;
    for (const { key } of entries) {
      const type = key[key.length - TAG_BYTES];
      if (key.length < TAG_BYTES || (type !== DELETION && type !== VALUE)) return false;
      if (before !== undefined && compareKeys(before, key) >= 0) return false;
      before = key;
    }
    return before !== undefined && entries.length > 0 && compareKeys(before, last) <= 0;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

interface PlacedEntry extends BlockEntry {
  readonly at: number;
  readonly shared: number;
}

/** The same, the last one first, and only as far as it is asked for. */
export function* entriesFromEnd(block: Buffer): Generator<BlockEntry> {
  let end = contentEnd(block);
  for (let restart = block.length - 8; end > 0; restart -= 4) {
    const begin = restart < contentEnd(block) ? 0 : block.readUInt32LE(restart);
    if (begin >= end) throw new RangeError('the restarts are damaged');
    yield* parse(block, begin, end).reverse();
    end = begin;
  }
}

/** The entries between two restarts, or of the whole block. */
function parse(block: Buffer, begin = 0, end = contentEnd(block)): PlacedEntry[] {
  const content = new VarintReader(block.subarray(0, end), begin);
  const entries: PlacedEntry[] = [];
  let before: Buffer = Buffer.alloc(0);
  while (!content.isAtEnd) {
    const at = content.at;
    const [shared, unshared, length] = [content.number(), content.number(), content.number()];
    if (shared > before.length) throw new RangeError(`the entry at byte ${at} is damaged`);
    const key = Buffer.concat([before.subarray(0, shared), content.bytes(unshared)]);
    entries.push({ at, shared, key, value: content.bytes(length) });
    before = key;
  }
  return entries;
}

function contentEnd(block: Buffer): number {
  const end = block.length - 4 * (1 + block.readUInt32LE(block.length - 4));
  if (end < 0) throw new RangeError('the restarts are damaged');
  return end;
}

/** Restarts rise from the first entry on, and each is an entry that shares nothing. */
function restartsAreSound(block: Buffer, entries: readonly PlacedEntry[]): boolean {
  const places = new Set(entries.filter(({ shared }) => shared === 0).map(({ at }) => at));
  let before = -1;
  for (let at = contentEnd(block); at < block.length - 4; at += 4) {
    const restart = block.readUInt32LE(at);
    if (restart <= before || !places.has(restart)) return false;
    if (before === -1 && restart !== 0) return false;
    before = restart;
  }
  return before !== -1;
}

/** LevelDB's order: by key, then the newest first. */
function compareKeys(one: Buffer, other: Buffer): number {
  const [oneEnd, otherEnd] = [one.length - TAG_BYTES, other.length - TAG_BYTES];
  const byKey = Buffer.compare(one.subarray(0, oneEnd), other.subarray(0, otherEnd));
  if (byKey !== 0) return byKey;
  const [tag, otherTag] = [one.readBigUInt64LE(oneEnd), other.readBigUInt64LE(otherEnd)];
  return tag === otherTag ? 0 : tag > otherTag ? -1 : 1;
}
