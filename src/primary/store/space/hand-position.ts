/**
 * Where the hand is, as it lies in the index under `m`, `hand`, so that a restart goes on there.
 * docs/storage-format.md has the layout. The primary writes it; it is believed only if it is whole.
 */
import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import { KEY_BYTES_MAX } from '../../../protocol/key.ts';
import { ENTRIES } from '../index/index-keys.ts';

/** How far a pass has come. */
export interface PassPosition {
  /** The pass works off the purges of this version and older; 0 for a round. */
  readonly upTo: number;
  /** The index key where it goes on: what lies before is done. */
  readonly at: Buffer;
  readonly startedAtMs: number;
  readonly scanned: number;
  readonly removed: number;
}

export interface HandPosition {
  readonly purging: PassPosition | undefined;
  readonly round: PassPosition | undefined;
}

const NOWHERE: HandPosition = { purging: undefined, round: undefined };
const CHECKSUM_BYTES = 4;
/** One for the kind of the key, one for the byte that makes it the next one. */
const AT_BYTES_MAX = KEY_BYTES_MAX + 2;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

export function encodeHandPosition({ purging, round }: HandPosition): Buffer {
  const fields = packr.pack([toFields(purging), toFields(round)]);
  const encoded = Buffer.alloc(CHECKSUM_BYTES + fields.length);
  encoded.set(fields, CHECKSUM_BYTES);
  encoded.writeUInt32LE(crc32(fields));
  return encoded;
}

/** Nowhere when `encoded` is not exactly what was written: the hand then begins anew. */
export function decodeHandPosition(encoded: Buffer | undefined): HandPosition {
  if (encoded === undefined || encoded.length <= CHECKSUM_BYTES) return NOWHERE;
  const fields = encoded.subarray(CHECKSUM_BYTES);
  if (encoded.readUInt32LE() !== crc32(fields)) return NOWHERE;
  let passes: unknown;
  try {
    passes = unpackr.unpack(fields);
  } catch {
    return NOWHERE;
  }
  if (!Array.isArray(passes)) return NOWHERE;
  return { purging: fromFields(passes[0]), round: fromFields(passes[1]) };
}

function toFields(position: PassPosition | undefined): unknown[] | null {
  if (position === undefined) return null;
  const { upTo, at, startedAtMs, scanned, removed } = position;
  return [upTo, at, startedAtMs, scanned, removed];
}

function fromFields(fields: unknown): PassPosition | undefined {
  if (!Array.isArray(fields)) return undefined;
  const [upTo, at, startedAtMs, scanned, removed] = fields as unknown[];
  if (!isCount(upTo) || !isCount(startedAtMs) || !isCount(scanned) || !isCount(removed)) {
    return undefined;
  }
  if (!Buffer.isBuffer(at) || at.length > AT_BYTES_MAX) return undefined;
  if (at.compare(ENTRIES.gte) < 0 || at.compare(ENTRIES.lt) > 0) return undefined;
  // What was unpacked aliases the value that was read.
  return { upTo, at: Buffer.from(at), startedAtMs, scanned, removed };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
