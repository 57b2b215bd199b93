/** The checksum of LevelDB's own files: CRC-32C, masked as LevelDB stores it. */

const POLYNOMIAL = 0x82f63b78;
const MASK_DELTA = 0xa282ead8;

/** Four tables, so that four bytes are taken at once: each is a byte further on than the one before. */
const T0 = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  T0[byte] = crc;
}
const T1 = furtherOn(T0);
const T2 = furtherOn(T1);
const T3 = furtherOn(T2);

function furtherOn(table: Uint32Array): Uint32Array {
  return table.map((crc) => (crc >>> 8) ^ (T0[crc & 0xff] as number));
}

/** CRC-32C of `bytes`. */
export function crc32c(bytes: Buffer): number {
  const length = bytes.length;
  let crc = -1;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    // Each index is within its bounds, so nothing here is undefined.
    crc ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    crc =
      (T3[crc & 0xff] as number) ^
      (T2[(crc >>> 8) & 0xff] as number) ^
      (T1[(crc >>> 16) & 0xff] as number) ^
      (T0[crc >>> 24] as number);
  }
  for (; i < length; i++) crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return (crc ^ -1) >>> 0;
}

/** Whether `masked`, as it stands in a file of LevelDB, is the checksum of `bytes`. */
export function crcMatches(bytes: Buffer, masked: number): boolean {
  const rotated = (masked - MASK_DELTA) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0 === crc32c(bytes);
}
