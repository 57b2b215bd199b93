/**
 * The crc32 of two pieces of bytes together, from the crc32 of each: what zlib's crc32_combine does,
 * which Node does not offer. Any process runs it.
 */

const POLYNOMIAL = 0xedb88320;

/** The product of two polynomials modulo that of crc32, bits reflected as in the sum itself. */
function multiply(one: number, other: number): number {
  let product = 0;
  let factor = other;
  for (let mask = 0x8000_0000; ; mask >>>= 1) {
    if ((one & mask) !== 0) {
      product ^= factor;
      if ((one & (mask - 1)) === 0) return product >>> 0;
    }
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ POLYNOMIAL;
  }
}

/** x to the power of 2^n, for each n below 32; the powers repeat from there on. */
const POWERS: readonly number[] = (() => {
  const powers = [0x4000_0000];
  for (let n = 1; n < 32; n++) powers.push(multiply(powers[n - 1] ?? 0, powers[n - 1] ?? 0));
  return powers;
})();

/** What is put around a value is short, and mostly as long as the last one. */
const REMEMBERED_BYTES_MAX = 256;
const remembered: number[] = [];

/** x to the power of 8 x `bytes`: what so many zero bytes do to a sum before them. */
function shiftOf(bytes: number): number {
  if (bytes >= REMEMBERED_BYTES_MAX) return powerOf(bytes);
  const known = remembered[bytes] ?? powerOf(bytes);
  remembered[bytes] = known;
  return known;
}

function powerOf(bytes: number): number {
  let shift = 0x8000_0000;
  for (let rest = bytes, n = 3; rest > 0; rest = Math.floor(rest / 2), n++) {
    if (rest % 2 === 1) shift = multiply(POWERS[n % 32] ?? 0, shift);
  }
  return shift;
}

/** The crc32 of bytes whose sum is `first`, followed by `secondBytes` bytes whose sum is `second`. */
export function combinedCrc32(first: number, second: number, secondBytes: number): number {
  if (first === 0) return second;
  return (multiply(shiftOf(secondBytes), first) ^ second) >>> 0;
}
