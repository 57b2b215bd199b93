/**
 * The visited bits: which entries were read since they were written or moved. The primary marks them,
 * a job thread reads them over shared memory when it reclaims a segment. They are hints: bits of
 * different keys may fall together, and what is lost costs a second chance, never an entry's truth.
 */
import type { Logger } from 'pino';
import { hashKey } from '../../../protocol/key-hash.ts';
import { VISITED_PAGE_BYTES, VISITED_PAGES, VisitedFile } from './visited-file.ts';

const BITS_BYTES = VISITED_PAGES * VISITED_PAGE_BYTES;
/** A hash has 32 bits, of which the upper 27 choose one of 2^27 visited bits. */
const HASH_SHIFT = 32 - Math.log2(BITS_BYTES * 8);
const PAGE_SHIFT = Math.log2(VISITED_PAGE_BYTES);

/**
 * INVARIANT: only one thread marks and clears, since a byte is read and written again without a lock.
 * Any number of threads may ask.
 */
export class Visited {
  /** The bits, then one byte for each page of them: 1 while it is newer than the file. */
  readonly shared: SharedArrayBuffer;
  readonly #bits: Uint8Array;
  readonly #dirtyPages: Uint8Array;
  readonly #file: VisitedFile | undefined;

  private constructor(shared: SharedArrayBuffer, file?: VisitedFile) {
    this.shared = shared;
    this.#bits = new Uint8Array(shared, 0, BITS_BYTES);
    this.#dirtyPages = new Uint8Array(shared, BITS_BYTES, VISITED_PAGES);
    this.#file = file;
  }

  /** Memory for `load`. Pages of it that are never written take no room. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(BITS_BYTES + VISITED_PAGES);
  }

  /**
   * The bits that the file at `path` holds, in this memory, whatever it held before. A file that is
   * missing, not whole or not readable gives none, and what is wrong with it is logged, as is a save
   * that fails. REQUIRES: nobody marks, clears or saves what was loaded into this memory before.
   */
  static async load(
    path: string,
    log: Pick<Logger, 'warn'>,
    shared = Visited.memory(),
  ): Promise<Visited> {
    const file = new VisitedFile(path, log);
    const visited = new Visited(shared, file);
    await file.load(visited.#bits);
    visited.#dirtyPages.fill(0);
    return visited;
  }

  /** The bits of another thread, by its `shared`. REQUIRES: nothing is marked, cleared or saved here. */
  static over(shared: SharedArrayBuffer): Visited {
    return new Visited(shared);
  }

  /** Notes that the entry was read. */
  mark(key: string): void {
    this.markHash(hashKey(key));
  }

  /** `mark` for the key of this hash. */
  markHash(hash: number): void {
    const position = hash >>> HASH_SHIFT;
    const at = position >>> 3;
    const bit = 1 << (position & 7);
    const byte = this.#bits[at] as number;
    if ((byte & bit) !== 0) return;
    this.#bits[at] = byte | bit;
    this.#dirtyPages[at >>> PAGE_SHIFT] = 1;
  }

  /** Whether the entry, or another one of its bit, was read. */
  has(key: string): boolean {
    const position = hashKey(key) >>> HASH_SHIFT;
    return ((this.#bits[position >>> 3] as number) & (1 << (position & 7))) !== 0;
  }

  /** Forgets that the entry was read: it was written anew, or was given its second chance. */
  clear(key: string): void {
    const position = hashKey(key) >>> HASH_SHIFT;
    const at = position >>> 3;
    const bit = 1 << (position & 7);
    const byte = this.#bits[at] as number;
    if ((byte & bit) === 0) return;
    this.#bits[at] = byte & ~bit;
    this.#dirtyPages[at >>> PAGE_SHIFT] = 1;
  }

  /**
   * Writes the pages that changed since the last save. False when the system did not let it: the pages
   * stay due. A second call while one is under way joins it.
   */
  async save(): Promise<boolean> {
    if (this.#file === undefined) throw new Error('the visited bits of another thread are its own');
    return await this.#file.save(this.#bits, this.#dirtyPages);
  }
}
