/**
 * The accounting of one segment, kept under `s` in the index and in the same batch as the records
 * that it counts.
 */

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
  /** Bytes of the appends that records point to, as `occupiedBytesOf` tells them. */
  bytesLive: number;
  /** Number of the records that point here. */
  records: number;
  /** The newest version that was ever committed here; 0 when none was. */
  lastVersion: number;
  /** Size of the file once it is sealed; until then the size up to which it may grow. */
  fileBytes: number;
}

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
  bytes.writeBigUInt64LE(BigInt(stats.bytesLive), 24);
  bytes.writeBigUInt64LE(BigInt(stats.records), 32);
  bytes.writeBigUInt64LE(BigInt(stats.lastVersion), 40);
  bytes.writeBigUInt64LE(BigInt(stats.fileBytes), 48);
  return bytes;
}

/** Throws RangeError when the bytes are too short to be a segment's accounting. */
export function decodeSegmentStats(id: number, bytes: Buffer): SegmentStats {
  return {
    id,
    writer: bytes.readUInt32LE(0),
    state: bytes.readUInt32LE(4) as SegmentStateCode,
    agedFromMs: Number(bytes.readBigUInt64LE(8)),
    bytesWritten: Number(bytes.readBigUInt64LE(16)),
    bytesLive: Number(bytes.readBigUInt64LE(24)),
    records: Number(bytes.readBigUInt64LE(32)),
    lastVersion: Number(bytes.readBigUInt64LE(40)),
    fileBytes: Number(bytes.readBigUInt64LE(48)),
  };
}
