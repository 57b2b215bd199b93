/**
 * How much room the store takes and how much is left, in the primary: against `--max-size`, and
 * against what `--min-free` leaves to others. Segments count as soon as they are granted, so what is
 * admitted here always has its place.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreDirectory } from '../../directory/directory.ts';

const MiB = 1024 * 1024;
const FREE_AUTO_BYTES_MAX = 1024 * MiB;
const FREE_AUTO_SHARE = 0.05;

export interface SpaceOptions {
  readonly directory: StoreDirectory;
  /** `--max-size`; 0 for no limit. */
  readonly storeBytesMax: number;
  /** `--min-free`; 0 for the lesser of 1 GiB and 5 % of the disk. */
  readonly freeBytesMin: number;
  /** What LevelDB may take for a while beyond what it keeps: logs, and tables under compaction. */
  readonly indexSlackBytes: number;
  /** What the reserve takes, or will take when it is made again: kept for it within `--max-size`. */
  readonly reserveBytes: number;
  /** Sum over all segments: sizes of sealed ones, and what open ones may grow to. */
  readonly segmentBytes: () => number;
  /** Bytes that open segments may still write: the disk does not know of them yet. */
  readonly unwrittenBytes: () => number;
}

interface MeasuredTable {
  readonly size: number;
  /** Whether it was found twice. */
  readonly isSettled: boolean;
}

const NO_TABLE = -1;

export class Space {
  readonly #options: SpaceOptions;
  /** Tables by name, with their size as it was measured last. */
  readonly #tables = new Map<string, MeasuredTable>();
  #indexBytes = 0;
  #visitedBytes = 0;
  #diskBytes = 0;
  #freeBytes = 0;

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  /** Looks at the disk: what is free, and what the index takes. */
  async measure(): Promise<void> {
    const { directory } = this.#options;
    const { bavail, blocks, bsize } = await statfs(directory.path);
    this.#freeBytes = bavail * bsize;
    this.#diskBytes = blocks * bsize;
    this.#indexBytes = await this.#sizeOfIndex();
    this.#visitedBytes = await sizeOf(join(directory.path, 'visited'));
  }

  /** Bytes that the store takes or may take at any moment: segments, index, reserve. */
  get usedBytes(): number {
    return this.#options.segmentBytes() + this.#indexBytes + this.#otherBytes;
  }

  /** What the index takes, as it was measured last; so are the next two. */
  get indexBytes(): number {
    return this.#indexBytes;
  }

  get diskBytes(): number {
    return this.#diskBytes;
  }

  get diskFreeBytes(): number {
    return this.#freeBytes;
  }

  get #otherBytes(): number {
    return this.#options.reserveBytes + this.#visitedBytes;
  }

  /** What is left free for others. */
  get freeBytesMin(): number {
    if (this.#options.freeBytesMin > 0) return this.#options.freeBytesMin;
    return Math.min(FREE_AUTO_BYTES_MAX, this.#diskBytes * FREE_AUTO_SHARE);
  }

  /** Bytes that must be given back before `bytes` more can be granted; 0 or less when there is room. */
  missingFor(bytes: number): number {
    return Math.max(this.missingInQuota(bytes), this.missingOnDisk(bytes));
  }

  /** Whether the reserve can be made, of which the disk has nothing yet. */
  get hasRoomForReserve(): boolean {
    return this.missingInQuota(0) <= 0 && this.missingOnDisk(this.#options.reserveBytes) <= 0;
  }

  /** The same, as far as `--max-size` is concerned. */
  missingInQuota(bytes: number): number {
    const { storeBytesMax, indexSlackBytes } = this.#options;
    if (storeBytesMax === 0) return Number.NEGATIVE_INFINITY;
    return this.usedBytes + indexSlackBytes + bytes - storeBytesMax;
  }

  /** The same, as far as the disk is concerned. */
  missingOnDisk(bytes: number): number {
    return this.freeBytesMin + this.#options.unwrittenBytes() + bytes - this.#freeBytes;
  }

  /** Whether `bytes` would not fit even if every entry were evicted. */
  isHopeless(bytes: number): boolean {
    const { storeBytesMax, indexSlackBytes } = this.#options;
    if (storeBytesMax === 0) return false;
    return this.#indexBytes + this.#otherBytes + indexSlackBytes + bytes > storeBytesMax;
  }

  /**
   * A table is never changed once it is whole, so a size that was found twice is not looked at again.
   * The newest one may still be growing although it did not grow for a while.
   */
  async #sizeOfIndex(): Promise<number> {
    const { indexPath } = this.#options.directory;
    const names = await readdir(indexPath);
    const present = new Set(names);
    for (const name of this.#tables.keys()) if (!present.has(name)) this.#tables.delete(name);
    const newest = Math.max(...names.map(tableNumberOf));
    let bytes = 0;
    for (const name of names) {
      const known = this.#tables.get(name);
      const size = known?.isSettled === true ? known.size : await sizeOf(join(indexPath, name));
      bytes += size;
      const number = tableNumberOf(name);
      if (number === NO_TABLE) continue;
      this.#tables.set(name, { size, isSettled: number < newest && size === known?.size });
    }
    return bytes;
  }
}

/** The number in the name of a table, which rises with each file of the index; -1 for other files. */
function tableNumberOf(name: string): number {
  const digits = /^(\d+)\.(?:ldb|sst)$/.exec(name)?.[1];
  return digits === undefined ? NO_TABLE : Number(digits);
}

/** What a file takes on the disk, holes left out; 0 when it is gone. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  return found === undefined ? 0 : Math.max(found.blocks * 512, 0);
}
