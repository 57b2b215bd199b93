/**
 * LevelDB's log format, in which its MANIFEST and its logs are written: blocks of 32 KiB, records cut
 * into fragments, a checksum over each. Read here more strictly than LevelDB does, which takes some
 * damage for the end of the file. See its doc/log_format.md.
 */
import { crcMatches } from './crc32c.ts';

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
/** Kinds of fragments, as LevelDB numbers them. */
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

interface Fragment {
  readonly at: number;
  readonly kind: number;
  readonly payload: Buffer;
}

/**
 * The records of a MANIFEST, up to where its writer may have died. Throws a RangeError that says what
 * is wrong when a record is damaged, or when anything but zeros comes after the end.
 */
export function readRecords(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  let parts: Buffer[] | undefined;
  for (const { at, kind, payload } of fragments(file)) {
    if (
      !crcMatches(file.subarray(at + 6, at + HEADER_BYTES + payload.length), file.readUInt32LE(at))
    ) {
      throw new RangeError(`the record at byte ${at} is damaged`);
    }
    const begins = kind === FULL || kind === FIRST;
    if (kind < FULL || kind > LAST || begins !== (parts === undefined)) {
      throw new RangeError(`the record at byte ${at} is out of place`);
    }
    parts = [...(parts ?? []), payload];
    if (kind === FIRST || kind === MIDDLE) continue;
    records.push(Buffer.concat(parts));
    parts = undefined;
  }
  return records;
}

/**
 * Whether the log has a gap that LevelDB skips in silence: zeros where a record should begin, with
 * records after them, as a loss of power may leave it.
 */
export function hasGap(file: Buffer): boolean {
  try {
    for (const _ of fragments(file));
    return false;
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

/** Throws a RangeError where zeros stand that more follows. */
function* fragments(file: Buffer): Generator<Fragment> {
  for (let at = 0; at + HEADER_BYTES <= file.length; ) {
    const leftInBlock = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (leftInBlock < HEADER_BYTES) {
      at += leftInBlock;
      continue;
    }
    const length = file.readUInt16LE(at + 4);
    const kind = file[at + 6] ?? 0;
    const end = at + HEADER_BYTES + length;
    if (kind === 0 && length === 0) {
      if (!isZero(file.subarray(at))) throw new RangeError(`zeros at byte ${at}`);
      return;
    }
    if (HEADER_BYTES + length > leftInBlock) {
      // Not the end of the file but damage, where a whole block is there.
      if (file.length - at >= leftInBlock)
        throw new RangeError(`the length at byte ${at} is damaged`);
      return;
    }
    if (end > file.length) return;
    yield { at, kind, payload: file.subarray(at + HEADER_BYTES, end) };
    at = end;
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
