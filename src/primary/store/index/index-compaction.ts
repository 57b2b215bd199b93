/**
 * The compaction of a whole index, stretch by stretch: LevelDB compacts a range in one piece, which
 * cannot be interrupted and says nothing of how far it is. Run by a command on a stopped store.
 */
import type { Index } from './index-files.ts';

/** A range of index keys, bounds included, and roughly the bytes of tables in it. */
export interface Stretch {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly bytes: number;
}

const MiB = 1024 * 1024;
const STRETCH_BYTES = 32 * MiB;
/** Deeper than any two keys have bytes in common that are of different stretches in practice. */
const DEPTH_MAX = 512;
const FIRST_KEY = Buffer.alloc(0);
const BEYOND_KEYS = Buffer.alloc(1, 0xff);

/**
 * Stretches that cover all keys, each of about `bytesMax` where the keys allow it. Sizes are those of
 * LevelDB's tables; what is still in its log counts as nothing.
 */
export async function stretchesOf(index: Index, bytesMax = STRETCH_BYTES): Promise<Stretch[]> {
  const cuts: Buffer[] = [];
  let gathered = 0;

  /** Cuts within the keys that begin with `prefix` so that no piece is much above the most. */
  async function cut(prefix: Buffer): Promise<void> {
    for (let byte = 0; byte <= 0xff; byte++) {
      const start = Buffer.concat([prefix, Buffer.from([byte])]);
      const bytes = await index.approximateSize(start, keyAfterAll(start));
      if (bytes > bytesMax && start.length < DEPTH_MAX) {
        await cut(start);
        continue;
      }
      if (gathered > 0 && gathered + bytes > bytesMax) {
        cuts.push(start);
        gathered = 0;
      }
      gathered += bytes;
    }
  }

  await cut(FIRST_KEY);
  const bounds = [FIRST_KEY, ...cuts, BEYOND_KEYS];
  const stretches: Stretch[] = [];
  for (const [at, start] of bounds.slice(0, -1).entries()) {
    const end = bounds[at + 1] ?? BEYOND_KEYS;
    stretches.push({ start, end, bytes: await index.approximateSize(start, end) });
  }
  return stretches;
}

/** The first key after all that begin with `prefix`. */
function keyAfterAll(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return Buffer.alloc(prefix.length + 1, 0xff);
  const after = Buffer.from(prefix.subarray(0, length));
  after[length - 1] = (after[length - 1] ?? 0) + 1;
  return after;
}
