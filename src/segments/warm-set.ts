/**
 * What was touched within the last minute, in bounded memory. Whatever was just read or written is in
 * the page cache, where a synchronous read costs 1 to 3 us and one through the thread pool 25 to 50 us
 * (docs/decisions/warm-reads.md); anything else may have to wait for the disk (read-pace.ts).
 */

/** An item counts as warm for one to two of these. */
const GENERATION_MS = 30_000;
/** Bound on memory: two generations of this many items. */
const GENERATION_SIZE_MAX = 50_000;

export class WarmSet<Item extends string | number> {
  #young = new Set<Item>();
  #old = new Set<Item>();
  #turnAt: number;
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#turnAt = now() + GENERATION_MS;
  }

  has(item: Item): boolean {
    this.#turn();
    return this.#young.has(item) || this.#old.has(item);
  }

  add(item: Item): void {
    this.#turn();
    this.#young.add(item);
  }

  #turn(): void {
    const now = this.#now();
    if (now < this.#turnAt && this.#young.size < GENERATION_SIZE_MAX) return;
    // After a pause of two generations nothing of before is warm any more.
    this.#old = now < this.#turnAt + GENERATION_MS ? this.#young : new Set();
    this.#young = new Set();
    this.#turnAt = now + GENERATION_MS;
  }
}
