/**
 * The keys of the index: one byte that says what the value is, then its name. On disk: never
 * renumber, never reorder. docs/storage-format.md lists them.
 */
import { crc32 } from 'node:zlib';

const ENTRY = 'e';
const META = 'm';
const PURGE = 'p';
const REPORT = 'r';
const SEGMENT = 's';

export const ENTRY_BYTE = ENTRY.charCodeAt(0);

/** Names under `m`. */
export type MetaName =
  | 'versions'
  | 'count'
  | 'clear'
  | 'next-segment'
  | 'evicted'
  | 'hand'
  | 'recount';

/** The index key of an entry's record. */
export function entryKey(key: string): Buffer {
  return Buffer.from(ENTRY + key);
}

/** The entry's key in an index key. */
export function keyOfEntryKey(indexKey: Buffer): string {
  return indexKey.toString('utf8', 1);
}

export function metaKey(name: MetaName): Buffer {
  return Buffer.from(META + name);
}

/** Big-endian, so that purges iterate in the order of their versions. */
export function purgeKey(version: number): Buffer {
  return versionKey(PURGE, version);
}

/** The key of the report of a purge that has ended. */
export function reportKey(version: number): Buffer {
  return versionKey(REPORT, version);
}

function versionKey(kind: string, version: number): Buffer {
  const key = Buffer.alloc(9);
  key.write(kind, 'latin1');
  key.writeBigUInt64BE(BigInt(version), 1);
  return key;
}

/** The version in the key of a purge or of a report. */
export function versionOfPurgeKey(indexKey: Buffer): number {
  return Number(indexKey.readBigUInt64BE(1));
}

/** Big-endian, so that segments iterate in the order in which they were granted. */
export function segmentKey(id: number): Buffer {
  const key = Buffer.alloc(5);
  key.write(SEGMENT, 'latin1');
  key.writeUInt32BE(id, 1);
  return key;
}

export function segmentIdOfKey(indexKey: Buffer): number {
  return indexKey.readUInt32BE(1);
}

/** Half-open bounds of index keys. */
export interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

/** All entries whose key begins with `prefix`; all entries for the empty prefix. */
export function entryRange(prefix: string): KeyRange {
  const gte = entryKey(prefix);
  const lt = Buffer.from(gte);
  // UTF-8 never holds the byte 0xff, so the last byte can always be raised.
  lt[lt.length - 1] = (lt[lt.length - 1] ?? 0) + 1;
  return { gte, lt };
}

export const META_RANGE: KeyRange = kindRange(META);
/** All entries. */
export const ENTRIES: KeyRange = entryRange('');
export const PURGE_RANGE: KeyRange = kindRange(PURGE);
export const REPORT_RANGE: KeyRange = kindRange(REPORT);
export const SEGMENT_RANGE: KeyRange = kindRange(SEGMENT);

function kindRange(kind: string): KeyRange {
  return { gte: Buffer.from(kind), lt: Buffer.from([kind.charCodeAt(0) + 1]) };
}

/** A value of the index is not what was written under its key. */
export class DamagedValueError extends Error {
  constructor(what: string) {
    super(`${what} is damaged`);
    this.name = 'DamagedValueError';
  }
}

const NUMBER_BYTES = 8;
const CHECKSUM_BYTES = 4;

/** The value with the crc32 of key and value behind it. */
export function withChecksum(key: Buffer, value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  value.copy(bytes);
  bytes.writeUInt32LE(crc32(value, crc32(key)), value.length);
  return bytes;
}

/**
 * The value of `valueBytes` bytes that was stored under `key`, with its checksum or, as early stores
 * have it, without. Throws a DamagedValueError for anything else.
 */
export function verifiedValue(key: Buffer, stored: Buffer, valueBytes: number): Buffer {
  const value = stored.subarray(0, valueBytes);
  if (stored.length === valueBytes) return value;
  if (
    stored.length === valueBytes + CHECKSUM_BYTES &&
    stored.readUInt32LE(valueBytes) === crc32(value, crc32(key))
  ) {
    return value;
  }
  throw new DamagedValueError(`the value under ${JSON.stringify(key.toString('latin1'))}`);
}

/** A number as the value of this name under `m`. */
export function encodeNumber(name: MetaName, value: number): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeBigUInt64LE(BigInt(value));
  return withChecksum(metaKey(name), bytes);
}

/**
 * The number of this name under `m`, or `absent` where there is none. Throws a DamagedValueError when
 * it is not as it was written.
 */
export function decodeNumber(name: MetaName, bytes: Buffer | undefined, absent: number): number {
  if (bytes === undefined) return absent;
  return Number(verifiedValue(metaKey(name), bytes, NUMBER_BYTES).readBigUInt64LE(0));
}
