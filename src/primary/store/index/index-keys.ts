/**
 * The keys of the index: one byte that says what the value is, then its name. On disk: never
 * renumber, never reorder. docs/storage-format.md lists them.
 */

const ENTRY = 'e';
const META = 'm';
const PURGE = 'p';
const SEGMENT = 's';

export const ENTRY_BYTE = ENTRY.charCodeAt(0);

/** Names under `m`. */
export type MetaName = 'versions' | 'count' | 'clear' | 'next-segment' | 'evicted';

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
  const key = Buffer.alloc(9);
  key.write(PURGE, 'latin1');
  key.writeBigUInt64BE(BigInt(version), 1);
  return key;
}

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

export const PURGE_RANGE: KeyRange = kindRange(PURGE);
export const SEGMENT_RANGE: KeyRange = kindRange(SEGMENT);

function kindRange(kind: string): KeyRange {
  return { gte: Buffer.from(kind), lt: Buffer.from([kind.charCodeAt(0) + 1]) };
}

/** A number as a value under `m`. */
export function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** The number under `m`, or `absent` where there is none. */
export function decodeNumber(bytes: Buffer | undefined, absent: number): number {
  return bytes === undefined ? absent : Number(bytes.readBigUInt64LE(0));
}
