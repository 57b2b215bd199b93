/**
 * Checksums of bodies: xxh64 of each block of 64 KiB of the stored body. Up to 16 blocks the checksums
 * stand in the record themselves; beyond, they form a table behind the body, and the record holds the
 * checksum of that table. The format is on disk: never change it, add another.
 */
import { xxh64 } from '@node-rs/xxhash';

export const BLOCK_BYTES = 64 * 1024;
export const CHECKSUM_BYTES = 8;
/** Bodies of more blocks keep their checksums in a table behind the body. */
export const INLINE_BLOCKS_MAX = 16;

/** Number of blocks in a body of `bytes` bytes; an empty body has none. */
export function blockCount(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

/** Writes the checksum of `bytes` at `at`. */
export function writeChecksum(bytes: Uint8Array, into: Buffer, at: number): void {
  into.writeBigUInt64LE(xxh64(bytes), at);
}

/** Whether the checksum at `at` is that of `bytes`. */
export function checksumMatches(bytes: Uint8Array, checksums: Buffer, at: number): boolean {
  return at + CHECKSUM_BYTES <= checksums.length && checksums.readBigUInt64LE(at) === xxh64(bytes);
}

/** The checksums of all blocks of `body`, one after the other. */
export function blockChecksums(body: Buffer): Buffer {
  const checksums = Buffer.allocUnsafe(blockCount(body.length) * CHECKSUM_BYTES);
  for (let block = 0; block * BLOCK_BYTES < body.length; block++) {
    const from = block * BLOCK_BYTES;
    writeChecksum(body.subarray(from, from + BLOCK_BYTES), checksums, block * CHECKSUM_BYTES);
  }
  return checksums;
}

/**
 * Whether `bytes`, which begin at block `firstBlock` of a body, are as they were written.
 * REQUIRES: `bytes` ends at the end of a block or of the body.
 */
export function blocksMatch(bytes: Buffer, checksums: Buffer, firstBlock: number): boolean {
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const at = (firstBlock + from / BLOCK_BYTES) * CHECKSUM_BYTES;
    if (!checksumMatches(bytes.subarray(from, from + BLOCK_BYTES), checksums, at)) return false;
  }
  return true;
}

/** What the record keeps of a body's checksums: all of them, or the checksum of their table. */
export function recordChecksums(checksums: Buffer): Buffer {
  if (checksums.length <= INLINE_BLOCKS_MAX * CHECKSUM_BYTES) return checksums;
  const ofTable = Buffer.allocUnsafe(CHECKSUM_BYTES);
  writeChecksum(checksums, ofTable, 0);
  return ofTable;
}
