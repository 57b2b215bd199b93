/**
 * Bodies that a worker holds in memory, beside the records it holds, since they are asked for again and again:
 * their hits read nothing and check nothing. All others are read from the page cache, which has them once
 * for all workers (docs/decisions/hot-bodies.md).
 *
 * Bounded in bytes. What was hit since the eviction last came by is passed over once (CLOCK).
 */
import type { HeldRecord } from './record-cache.ts';

/** What longer bodies cost is the sending of them, which is the same from wherever they come. */
const HOT_BODY_BYTES_MAX = 64 * 1024;
/**
 * Once the room is full one in so many is taken. So what is hot everywhere comes in soon, and bodies that do not
 * fit all together do not drive each other out at every hit.
 */
const TAKEN_ONE_IN = 16;
/** What a body takes beside its bytes, about: the buffer, its place here. */
const OVERHEAD_BYTES = 200;

const bytesOf = ({ body }: HeldRecord): number => (body?.length ?? 0) + OVERHEAD_BYTES;

export class HotBodies {
  readonly #bytesMax: number;
  readonly #isCurrent: (held: HeldRecord) => boolean;
  /** In the order in which the eviction comes by. */
  readonly #held = new Set<HeldRecord>();
  #bytes = 0;
  #asked = 0;

  /** `isCurrent` tells whether a record is still what the index holds. */
  constructor(bytesMax: number, isCurrent: (held: HeldRecord) => boolean) {
    this.#bytesMax = bytesMax;
    this.#isCurrent = isCurrent;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the body of `held`, which was hit just now, is to be held: it was hit before that as well. */
  wants(held: HeldRecord, bytes: number): boolean {
    if (!held.isVisited || bytes > HOT_BODY_BYTES_MAX) return false;
    const taken = bytes + OVERHEAD_BYTES;
    if (taken > this.#bytesMax) return false;
    if (this.#bytes + taken <= this.#bytesMax) return true;
    this.#asked += 1;
    return this.#asked % TAKEN_ONE_IN === 0;
  }

  keep(held: HeldRecord, body: Buffer): void {
    held.body = body;
    held.isBodyVisited = false;
    this.#held.add(held);
    this.#bytes += bytesOf(held);
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  /** Drops the body of a record, if it is held here. */
  forget(held: HeldRecord): void {
    if (!this.#held.delete(held)) return;
    this.#bytes -= bytesOf(held);
    held.body = undefined;
  }

  clear(): void {
    // Their records may be kept for a while, by who was hit.
    for (const held of this.#held) held.body = undefined;
    this.#held.clear();
    this.#bytes = 0;
  }

  #evict(): void {
    // Each is passed over once at most, so this ends.
    for (const held of this.#held) {
      if (this.#bytes <= this.#bytesMax) return;
      if (held.isBodyVisited && this.#isCurrent(held)) {
        held.isBodyVisited = false;
        this.#held.delete(held);
        this.#held.add(held);
      } else this.forget(held);
    }
  }
}
