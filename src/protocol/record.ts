/**
 * The entry's record: what the index keeps of one entry. A fixed head, so that validity is judged and
 * space is accounted without unpacking, then a msgpack array. docs/storage-format.md has the layout.
 */
import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';

export const RECORD_FORMAT = 1;
export const RECORD_HEAD_BYTES = 68;
/** A record with every field at its limit stays below this. */
export const RECORD_BYTES_MAX = 64 * 1024;

/** What kind of body an entry has. On disk and on the wire: never renumber. */
export const Kind = { json: 1, raw: 2 } as const;
export type KindCode = (typeof Kind)[keyof typeof Kind];

/** Where a body lies. `offset` is the first byte of the body itself. */
export interface Pointer {
  readonly segment: number;
  readonly offset: number;
}

/** In place of a segment: the body is in the record itself. No segment has this id. */
export const IN_RECORD = 0;

/** What the writer of an entry says about it. Times are Unix milliseconds; 0 stands for never. */
export interface EntryMeta {
  readonly kind: KindCode;
  readonly expiresAtMs: number;
  readonly contentType: string | null;
  /** `expire` of the original's face, Unix seconds as they were sent; null where none was. */
  readonly expire: number | null;
  /** `duration` of the original's face, as it was sent. */
  readonly duration: string | null;
  /** Until when it may be shown stale; never, where it is left out. */
  readonly staleWhileRevalidateUntilMs?: number;
  readonly staleIfErrorUntilMs?: number;
  /** Names by which it is purged; none, where they are left out. */
  readonly tags?: readonly string[];
  /** What it cost to make, in milliseconds; 0, where it is left out, for not known. */
  readonly costMs?: number;
}

/** A whole record. `version` is given by the primary; 0 until then. */
export interface EntryRecord extends EntryMeta {
  readonly version: number;
  readonly storedAtMs: number;
  readonly staleWhileRevalidateUntilMs: number;
  readonly staleIfErrorUntilMs: number;
  readonly pointer: Pointer;
  /** Length of the body as clients see it, in bytes. */
  readonly plainBytes: number;
  /** Length of the body as it lies in the segment, in bytes. */
  readonly storedBytes: number;
  /** Checksums of the stored body; see segments/checksum.ts. */
  readonly checksums: Buffer;
  readonly etag: Buffer | null;
  readonly contentEncoding: string | null;
  readonly tags: readonly string[];
  readonly costMs: number;
  /** The body itself, where it is in no segment: the digits of a counter. */
  readonly inlineBody?: Buffer | undefined;
}

const FLAGS_AT = 1;
/** On disk: never renumber. */
const SPARED_FLAG = 1;
const KIND_AT = 2;
const CHECKSUM_AT = 4;
const CHECKED_FROM = 8;
const VERSION_AT = 8;
const STORED_AT = 16;
const EXPIRES_AT = 24;
const STALE_REVALIDATE_AT = 32;
const STALE_ERROR_AT = 40;
const SEGMENT_AT = 48;
const OFFSET_AT = 52;
const STORED_BYTES_AT = 60;

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

function writeUint64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** A safe integer whatever stands there: the channel takes no other as the version of what is damaged. */
function readUint64(buffer: Buffer, at: number): number {
  return (buffer.readUInt32LE(at + 4) & 0x1f_ffff) * 0x1_0000_0000 + buffer.readUInt32LE(at);
}

function checksumOf(key: Buffer, record: Buffer): number {
  return crc32(record.subarray(CHECKED_FROM), crc32(record.subarray(0, CHECKSUM_AT), crc32(key)));
}

/** Encodes a record for `key` (UTF-8). REQUIRES: times and lengths are safe, non-negative integers. */
export function encodeRecord(key: Buffer, record: EntryRecord): Buffer {
  const { inlineBody } = record;
  const fields = packr.pack([
    record.plainBytes,
    record.checksums,
    record.etag,
    record.contentType,
    record.contentEncoding,
    record.tags,
    record.costMs,
    record.expire,
    record.duration,
    ...(inlineBody === undefined ? [] : [inlineBody]),
  ]);
  const encoded = Buffer.allocUnsafe(RECORD_HEAD_BYTES + fields.length);
  encoded[0] = RECORD_FORMAT;
  encoded[FLAGS_AT] = 0;
  encoded[KIND_AT] = record.kind;
  encoded[3] = 0;
  writeUint64(encoded, record.version, VERSION_AT);
  writeUint64(encoded, record.storedAtMs, STORED_AT);
  writeUint64(encoded, record.expiresAtMs, EXPIRES_AT);
  writeUint64(encoded, record.staleWhileRevalidateUntilMs, STALE_REVALIDATE_AT);
  writeUint64(encoded, record.staleIfErrorUntilMs, STALE_ERROR_AT);
  encoded.writeUInt32LE(record.pointer.segment, SEGMENT_AT);
  writeUint64(encoded, record.pointer.offset, OFFSET_AT);
  writeUint64(encoded, record.storedBytes, STORED_BYTES_AT);
  encoded.set(fields, RECORD_HEAD_BYTES);
  encoded.writeUInt32LE(checksumOf(key, encoded), CHECKSUM_AT);
  return encoded;
}

/** The same record under the version that the primary gives it. Changes `encoded` in place. */
export function stampVersion(key: Buffer, encoded: Buffer, version: number): void {
  writeUint64(encoded, version, VERSION_AT);
  encoded.writeUInt32LE(checksumOf(key, encoded), CHECKSUM_AT);
}

const COST_FIELD = 6;

/**
 * The same record with what its entry cost to make; unchanged where that would be too long. REQUIRES: it
 * is intact.
 */
export function withCost(key: Buffer, encoded: Buffer, costMs: number): Buffer {
  const fields: unknown[] = unpackr.unpack(encoded.subarray(RECORD_HEAD_BYTES));
  fields[COST_FIELD] = costMs;
  const head = encoded.subarray(0, RECORD_HEAD_BYTES);
  const changed = Buffer.concat([head, packr.pack(fields)]);
  if (changed.length > RECORD_BYTES_MAX) return encoded;
  changed.writeUInt32LE(checksumOf(key, changed), CHECKSUM_AT);
  return changed;
}

/** The version in a record's head. REQUIRES: `encoded` has a whole head. */
export function versionOf(encoded: Buffer): number {
  return readUint64(encoded, VERSION_AT);
}

/** When its writer began to store the entry, Unix milliseconds. REQUIRES: a whole head. */
export function storedAtOf(encoded: Buffer): number {
  return readUint64(encoded, STORED_AT);
}

/** When the entry expires, Unix milliseconds; 0 never. REQUIRES: a whole head. */
export function expiresAtOf(encoded: Buffer): number {
  return readUint64(encoded, EXPIRES_AT);
}

/**
 * Until when the entry is of use: its expiry, or the end of its stale windows where they last longer.
 * Unix milliseconds; 0 for ever. REQUIRES: a whole head.
 */
export function usefulUntilOf(encoded: Buffer): number {
  const expiresAtMs = expiresAtOf(encoded);
  if (expiresAtMs === 0) return 0;
  const revalidateUntilMs = readUint64(encoded, STALE_REVALIDATE_AT);
  return Math.max(expiresAtMs, revalidateUntilMs, readUint64(encoded, STALE_ERROR_AT));
}

/** Until when the entry may be shown stale, Unix milliseconds; 0 for never. REQUIRES: a whole head. */
export function staleUntilOf(encoded: Buffer): { whileRevalidateMs: number; ifErrorMs: number } {
  return {
    whileRevalidateMs: readUint64(encoded, STALE_REVALIDATE_AT),
    ifErrorMs: readUint64(encoded, STALE_ERROR_AT),
  };
}

/** The times of an entry: when it ends, and until when it may be shown stale. */
export interface EntryTimes {
  readonly expiresAtMs: number;
  readonly staleWhileRevalidateUntilMs: number;
  readonly staleIfErrorUntilMs: number;
}

/**
 * What would have lived on is stale from `fromMs` on and may be shown for as long as it would have
 * lived, and within the windows that it has. What is stale already stays as it is.
 */
export function staleFrom<T extends EntryTimes>(times: T, fromMs: number): T {
  const untilMs = times.expiresAtMs === 0 ? Number.MAX_SAFE_INTEGER : times.expiresAtMs;
  if (untilMs <= fromMs) return times;
  return {
    ...times,
    expiresAtMs: fromMs,
    staleWhileRevalidateUntilMs: Math.max(times.staleWhileRevalidateUntilMs, untilMs),
    staleIfErrorUntilMs: Math.max(times.staleIfErrorUntilMs, untilMs),
  };
}

/** Whether the entry is fresh at this time. REQUIRES: a whole head. */
export function isFreshAt(encoded: Buffer, atMs: number): boolean {
  const expiresAtMs = expiresAtOf(encoded);
  return expiresAtMs === 0 || expiresAtMs > atMs;
}

/**
 * The record of the same version that is stale from `fromMs` on; see `staleFrom`. `usefulUntilOf` it
 * stays what it was. REQUIRES: `encoded` is fresh then.
 */
export function staleRecord(key: Buffer, encoded: Buffer, fromMs: number): Buffer {
  const stale = Buffer.from(encoded);
  const times = staleFrom(
    {
      expiresAtMs: expiresAtOf(encoded),
      staleWhileRevalidateUntilMs: readUint64(encoded, STALE_REVALIDATE_AT),
      staleIfErrorUntilMs: readUint64(encoded, STALE_ERROR_AT),
    },
    fromMs,
  );
  writeUint64(stale, times.expiresAtMs, EXPIRES_AT);
  writeUint64(stale, times.staleWhileRevalidateUntilMs, STALE_REVALIDATE_AT);
  writeUint64(stale, times.staleIfErrorUntilMs, STALE_ERROR_AT);
  stale.writeUInt32LE(checksumOf(key, stale), CHECKSUM_AT);
  return stale;
}

/** Where the body lies. REQUIRES: a whole head. */
export function pointerOf(encoded: Buffer): Pointer {
  return {
    segment: encoded.readUInt32LE(SEGMENT_AT),
    offset: readUint64(encoded, OFFSET_AT),
  };
}

/** Length of the body as it lies in its segment, in bytes. REQUIRES: a whole head. */
export function storedBytesOf(encoded: Buffer): number {
  return readUint64(encoded, STORED_BYTES_AT);
}

/** Whether the entry was given a second chance for its cost alone, and has not been read since. */
export function wasSpared(encoded: Buffer): boolean {
  return ((encoded[FLAGS_AT] ?? 0) & SPARED_FLAG) !== 0;
}

/** The record of the same version after its body was copied elsewhere. */
export function movedRecord(
  key: Buffer,
  encoded: Buffer,
  { segment, offset }: Pointer,
  isSpared: boolean,
): Buffer {
  const moved = Buffer.from(encoded);
  moved[FLAGS_AT] = isSpared ? SPARED_FLAG : 0;
  moved.writeUInt32LE(segment, SEGMENT_AT);
  writeUint64(moved, offset, OFFSET_AT);
  moved.writeUInt32LE(checksumOf(key, moved), CHECKSUM_AT);
  return moved;
}

/**
 * The record itself, or, where damage has left less than a head of it, the record filled up with
 * zeros: it can be judged without harm, and is found damaged by whoever decodes it.
 */
export function withWholeHead(encoded: Buffer): Buffer {
  if (encoded.length > RECORD_HEAD_BYTES) return encoded;
  const padded = Buffer.alloc(RECORD_HEAD_BYTES + 1);
  encoded.copy(padded);
  return padded;
}

/** Whether head and fields are as they were written for `key`. */
export function isIntact(key: Buffer, encoded: Buffer): boolean {
  return (
    encoded.length > RECORD_HEAD_BYTES &&
    encoded[0] === RECORD_FORMAT &&
    encoded.readUInt32LE(CHECKSUM_AT) === checksumOf(key, encoded)
  );
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isTextOrNull = (value: unknown): value is string | null =>
  value === null || typeof value === 'string';
const isBytesOrNull = (value: unknown): value is Buffer | null =>
  value === null || Buffer.isBuffer(value);

function kindOf(code: number | undefined): KindCode | undefined {
  return code === Kind.json || code === Kind.raw ? code : undefined;
}

/**
 * Decodes a record of `key`, or undefined when it is damaged: wrong checksum, unknown format, fields
 * of another shape. Byte fields alias `encoded`.
 */
export function decodeRecord(key: Buffer, encoded: Buffer): EntryRecord | undefined {
  if (!isIntact(key, encoded)) return undefined;
  const kind = kindOf(encoded[KIND_AT]);
  let fields: unknown;
  try {
    fields = unpackr.unpack(encoded.subarray(RECORD_HEAD_BYTES));
  } catch {
    return undefined;
  }
  if (kind === undefined || !Array.isArray(fields) || fields.length < 9) return undefined;
  const [plainBytes, checksums, etag, contentType, contentEncoding] = fields as unknown[];
  const [tags, costMs, expire, duration, inlineBody] = fields.slice(5) as unknown[];
  if (
    !isCount(plainBytes) ||
    !Buffer.isBuffer(checksums) ||
    !isBytesOrNull(etag) ||
    !Array.isArray(tags)
  ) {
    return undefined;
  }
  if (!isTextOrNull(contentType) || !isTextOrNull(contentEncoding) || !isCount(costMs)) {
    return undefined;
  }
  if ((expire !== null && typeof expire !== 'number') || !isTextOrNull(duration)) return undefined;
  const pointer = pointerOf(encoded);
  const isInline = pointer.segment === IN_RECORD;
  if (isInline && !Buffer.isBuffer(inlineBody)) return undefined;
  return {
    kind,
    version: versionOf(encoded),
    storedAtMs: readUint64(encoded, STORED_AT),
    expiresAtMs: expiresAtOf(encoded),
    staleWhileRevalidateUntilMs: readUint64(encoded, STALE_REVALIDATE_AT),
    staleIfErrorUntilMs: readUint64(encoded, STALE_ERROR_AT),
    pointer,
    plainBytes,
    storedBytes: storedBytesOf(encoded),
    checksums,
    etag,
    contentType,
    contentEncoding,
    tags: tags as string[],
    costMs,
    expire,
    duration,
    inlineBody: isInline ? (inlineBody as Buffer) : undefined,
  };
}
