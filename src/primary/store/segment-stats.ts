/**
 * The accounting of one segment, kept under `s` in the index and in the same batch as the records
 * that it counts.
 */
import { type Pointer, storedBytesOf, versionOf } from '../../protocol/record.ts';
import { occupiedBytesOf } from '../../segments/format.ts';
import { DamagedValueError, segmentKey, verifiedValue, withChecksum } from './index/index-keys.ts';

/** On disk: never renumber. */
export const SegmentState = { open: 1, sealed: 2, dropping: 3 } as const;
export type SegmentStateCode = (typeof SegmentState)[keyof typeof SegmentState];

export interface SegmentStats {
  readonly id: number;
  /** The worker that may write it; 0 once it is sealed. */
  writer: number;
  state: SegmentStateCode;
  /** When it was granted, or given a second chance as a whole: the oldest is evicted first. */
  agedFromMs: number;
  /** End of the last committed body. */
  bytesWritten: number;
  /**
   * So much of a streamed body at least is in the file, committed or not. In memory alone: after a start
   * it is 0.
   */
  bytesStreamed: number;
  /** Bytes of the appends that records point to, as `occupiedBytesOf` tells them. */
  bytesLive: number;
  /** Number of the records that point here. */
  records: number;
  /** The newest version that was ever committed here; 0 when none was. */
  lastVersion: number;
  /** Size of the file once it is sealed; until then the size up to which it may grow. */
  fileBytes: number;
}

/** Counts a record whose body lies here, at `pointer`; its version is given. */
export function countRecord(
  stats: SegmentStats,
  keyBytes: number,
  record: Buffer,
  { offset }: Pointer,
): void {
  stats.bytesWritten = Math.max(stats.bytesWritten, offset + storedBytesOf(record));
  stats.bytesLive += occupiedBytesOf(keyBytes, record);
  stats.records += 1;
  stats.lastVersion = Math.max(stats.lastVersion, versionOf(record));
}

/**
 * Why the bytes of a segment are gone although records point into it. `missing`: the file is not there.
 * `unreadable`: the disk does not give it, and it had to make room. `evicted`: it was unlinked to make
 * room for an index that took no writes.
 */
export type LossCause = 'missing' | 'unreadable' | 'evicted';

const STATS_BYTES = 56;

export function newSegmentStats(
  id: number,
  writer: number,
  agedFromMs: number,
  fileBytes: number,
): SegmentStats {
  return {
    id,
    writer,
    state: SegmentState.open,
    agedFromMs,
    bytesWritten: 0,
    bytesStreamed: 0,
    bytesLive: 0,
    records: 0,
    lastVersion: 0,
    fileBytes,
  };
}

export function encodeSegmentStats(stats: SegmentStats): Buffer {
  const bytes = Buffer.alloc(STATS_BYTES);
  bytes.writeUInt32LE(stats.writer, 0);
  bytes.writeUInt32LE(stats.state, 4);
  bytes.writeBigUInt64LE(BigInt(stats.agedFromMs), 8);
  bytes.writeBigUInt64LE(BigInt(stats.bytesWritten), 16);
  // While a recount is under way, memory may hold less than nothing for what was counted wrong.
  bytes.writeBigUInt64LE(BigInt(Math.max(0, stats.bytesLive)), 24);
  bytes.writeBigUInt64LE(BigInt(Math.max(0, stats.records)), 32);
  bytes.writeBigUInt64LE(BigInt(stats.lastVersion), 40);
  bytes.writeBigUInt64LE(BigInt(stats.fileBytes), 48);
  return withChecksum(segmentKey(stats.id), bytes);
}

/** Throws a DamagedValueError when the bytes are not the accounting of this segment. */
export function decodeSegmentStats(id: number, stored: Buffer): SegmentStats {
  const bytes = verifiedValue(segmentKey(id), stored, STATS_BYTES);
  const state = Object.values(SegmentState).find((code) => code === bytes.readUInt32LE(4));
  if (state === undefined) throw new DamagedValueError(`the accounting of segment ${id}`);
  return {
    id,
    writer: bytes.readUInt32LE(0),
    state,
    agedFromMs: Number(bytes.readBigUInt64LE(8)),
    bytesWritten: Number(bytes.readBigUInt64LE(16)),
    bytesStreamed: 0,
    bytesLive: Number(bytes.readBigUInt64LE(24)),
    records: Number(bytes.readBigUInt64LE(32)),
    lastVersion: Number(bytes.readBigUInt64LE(40)),
    fileBytes: Number(bytes.readBigUInt64LE(48)),
  };
}
