/**
 * The layout of a segment file: a header, then appends, each `header, key, body, checksums, meta`.
 * docs/storage-format.md describes it. On disk: never renumber, never reorder.
 */
import { Packr, Unpackr } from 'msgpackr';
import {
  type EntryMeta,
  type EntryRecord,
  type KindCode,
  RECORD_HEAD_BYTES,
  storedBytesOf,
} from '../protocol/record.ts';
import { blockCount, CHECKSUM_BYTES, checksumMatches, writeChecksum } from './checksum.ts';

const FILE_MAGIC = Buffer.from('BigCSeg\n', 'latin1');
const APPEND_MAGIC = 0x50_41_43_42;
const SEGMENT_FORMAT = 1;

export const SEGMENT_HEADER_BYTES = 64;
export const APPEND_HEADER_BYTES = 48;
export const KEY_BYTES_IN_APPEND_MAX = 8192;
export const META_BYTES_MAX = 64 * 1024;

/** Whether an append counts. A refused one is voided in place, so a rebuild passes it over. */
export const AppendState = { live: 1, void: 2 } as const;
export const APPEND_STATE_AT = 5;

export interface SegmentHeader {
  readonly id: number;
  readonly writer: number;
  readonly createdAtMs: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  FILE_MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(SEGMENT_FORMAT, 8);
  bytes.writeUInt32LE(header.id, 12);
  bytes.writeUInt32LE(header.writer, 16);
  bytes.writeBigUInt64LE(BigInt(header.createdAtMs), 24);
  writeChecksum(bytes.subarray(0, SEGMENT_HEADER_BYTES - CHECKSUM_BYTES), bytes, 56);
  return bytes;
}

/** The header, or undefined when the bytes are none of this format. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(FILE_MAGIC)) {
    return undefined;
  }
  if (bytes.readUInt32LE(8) !== SEGMENT_FORMAT) return undefined;
  if (!checksumMatches(bytes.subarray(0, 56), bytes, 56)) return undefined;
  return {
    id: bytes.readUInt32LE(12),
    writer: bytes.readUInt32LE(16),
    createdAtMs: Number(bytes.readBigUInt64LE(24)),
  };
}

/** The lengths of an append's parts, in bytes. */
export interface AppendLengths {
  readonly keyBytes: number;
  readonly bodyBytes: number;
  readonly checksumBytes: number;
  readonly metaBytes: number;
}

export interface AppendHeader extends AppendLengths {
  readonly isLive: boolean;
  readonly kind: number;
}

/** Bytes of the whole append. */
export function appendBytes(lengths: AppendLengths): number {
  return (
    APPEND_HEADER_BYTES +
    lengths.keyBytes +
    lengths.bodyBytes +
    lengths.checksumBytes +
    lengths.metaBytes
  );
}

/**
 * Bytes that the append behind a record takes in its segment, within some 20 bytes: what the record
 * says beside its head stands in the append too. REQUIRES: a whole head.
 */
export function occupiedBytesOf(keyBytes: number, record: Buffer): number {
  const bodyBytes = storedBytesOf(record);
  return appendBytes({
    keyBytes,
    bodyBytes,
    checksumBytes: blockCount(bodyBytes) * CHECKSUM_BYTES,
    metaBytes: record.length - RECORD_HEAD_BYTES,
  });
}

export interface AppendParts {
  readonly kind: KindCode;
  readonly key: Buffer;
  readonly bodyBytes: number;
  readonly checksums: Buffer;
  readonly meta: Buffer;
}

/**
 * The header of an append and its key, which stand before the body. Its checksum covers header
 * (without the state), key, block checksums and meta; the body is covered by the block checksums.
 */
export function encodeAppendHead(append: AppendParts): Buffer {
  const head = Buffer.allocUnsafe(APPEND_HEADER_BYTES + append.key.length);
  head.writeUInt32LE(APPEND_MAGIC, 0);
  head[4] = append.kind;
  head[APPEND_STATE_AT] = 0;
  head.writeUInt16LE(append.key.length, 6);
  head.writeUInt32LE(append.meta.length, 8);
  head.writeUInt32LE(append.checksums.length, 12);
  head.writeBigUInt64LE(BigInt(append.bodyBytes), 16);
  head.fill(0, 24, APPEND_HEADER_BYTES);
  append.key.copy(head, APPEND_HEADER_BYTES);
  writeChecksum(headSum(head.subarray(0, 24), append.key, append.checksums, append.meta), head, 40);
  head[APPEND_STATE_AT] = AppendState.live;
  return head;
}

function headSum(fixed: Buffer, key: Buffer, checksums: Buffer, meta: Buffer): Buffer {
  return Buffer.concat([fixed, key, checksums, meta]);
}

/** The lengths that a header tells, unverified, or undefined when it is no header of an append. */
export function decodeAppendHeader(head: Buffer): AppendHeader | undefined {
  if (head.length < APPEND_HEADER_BYTES || head.readUInt32LE(0) !== APPEND_MAGIC) return undefined;
  return decodeAppendFields(head);
}

/** The same of 48 bytes that may have lost their magic; for whoever gets past damage. */
export function decodeAppendFields(head: Buffer): AppendHeader | undefined {
  const header: AppendHeader = {
    kind: head.readUInt8(4),
    isLive: head[APPEND_STATE_AT] === AppendState.live,
    keyBytes: head.readUInt16LE(6),
    metaBytes: head.readUInt32LE(8),
    checksumBytes: head.readUInt32LE(12),
    bodyBytes: Number(head.readBigUInt64LE(16)),
  };
  const isSane =
    header.keyBytes <= KEY_BYTES_IN_APPEND_MAX &&
    header.metaBytes <= META_BYTES_MAX &&
    Number.isSafeInteger(header.bodyBytes);
  return isSane ? header : undefined;
}

/** Whether header, key, checksums and meta belong together as they were written. */
export function appendIsIntact(
  head: Buffer,
  key: Buffer,
  checksums: Buffer,
  meta: Buffer,
): boolean {
  const fixed = Buffer.from(head.subarray(0, 24));
  fixed[APPEND_STATE_AT] = 0;
  return checksumMatches(headSum(fixed, key, checksums, meta), head, 40);
}

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

/** What an append tells of its entry beside key and body, so that a record can be made from it. */
export type AppendMeta = Pick<
  EntryRecord,
  Exclude<keyof EntryMeta, 'kind'> | 'storedAtMs' | 'plainBytes' | 'etag' | 'contentEncoding'
> &
  Pick<EntryRecord, 'staleWhileRevalidateUntilMs' | 'staleIfErrorUntilMs' | 'tags' | 'costMs'>;

export function encodeAppendMeta(meta: AppendMeta): Buffer {
  const packed = packr.pack([
    meta.storedAtMs,
    meta.expiresAtMs,
    meta.staleWhileRevalidateUntilMs,
    meta.staleIfErrorUntilMs,
    meta.plainBytes,
    meta.etag,
    meta.contentType,
    meta.contentEncoding,
    meta.tags,
    meta.costMs,
    meta.expire,
    meta.duration,
  ]);
  return Buffer.from(packed);
}

/** REQUIRES: `bytes` comes from an intact append. */
export function decodeAppendMeta(bytes: Buffer): AppendMeta {
  const [
    storedAtMs,
    expiresAtMs,
    staleWhileRevalidateUntilMs,
    staleIfErrorUntilMs,
    plainBytes,
    etag,
    contentType,
    contentEncoding,
    tags,
    costMs,
    expire,
    duration,
  ] = unpackr.unpack(bytes);
  return {
    storedAtMs,
    expiresAtMs,
    staleWhileRevalidateUntilMs,
    staleIfErrorUntilMs,
    plainBytes,
    etag,
    contentType,
    contentEncoding,
    tags,
    costMs,
    expire,
    duration,
  };
}

/** `00000001.seg`: ids rise for ever and are never used again. */
export function segmentFileName(id: number): string {
  return `${String(id).padStart(8, '0')}.seg`;
}

/** The id in a segment's file name, or undefined for any other name. */
export function segmentIdOf(fileName: string): number | undefined {
  const digits = /^(\d{8,10})\.seg$/.exec(fileName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
