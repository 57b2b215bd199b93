/**
 * The hash of a key, by which the primary and the workers find it in tables of fixed size.
 */

/**
 * The hash of a key, 32 bits unsigned: MurmurHash3 (x86, 32 bits) over its UTF-16 units, two at a time.
 * The bits on disk lie by it: never change it without a new format of the file.
 */
export function hashKey(key: string): number {
  let hash = key.length;
  const last = key.length - 1;
  let at = 0;
  for (; at < last; at += 2) {
    hash ^= scramble(key.charCodeAt(at) | (key.charCodeAt(at + 1) << 16));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  if (at === last) hash ^= scramble(key.charCodeAt(at));
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(units: number): number {
  const mixed = Math.imul(units, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** Of keys, where what workers hold of them is kept track of. */
export const KEY_BUCKETS = 2 ** 18;

const BUCKET_SHIFT = 32 - Math.log2(KEY_BUCKETS);

/** The bucket of a key, by its hash. */
export function bucketOfHash(hash: number): number {
  return hash >>> BUCKET_SHIFT;
}

export function bucketOf(key: string): number {
  return bucketOfHash(hashKey(key));
}
