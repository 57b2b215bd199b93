/**
 * Whether what was not just touched is read on the event loop, where a read costs a few microseconds, or in the
 * thread pool, where each costs two changes of thread on top. A system that has its files in memory is read
 * on the loop. What reads of the disk make the loop wait is bounded: once they took their share of a second, all
 * others of that second go to the pool (docs/decisions/warm-reads.md).
 */

const SECOND_MS = 1000;
/** A read that took longer has waited for the disk, or for the processor. */
const IN_MEMORY_MS_MAX = 0.05;
/** What such reads may take of each second; the one that exceeds it is the last. */
const WAITING_MS_MAX = 10;

export class ReadPace {
  readonly #now: () => number;
  #secondBeganAtMs = Number.NEGATIVE_INFINITY;
  #waitedMs = 0;

  /** `now` is in ms, with fractions. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether the next read may be made on the event loop. */
  get isOpen(): boolean {
    const nowMs = this.#now();
    if (nowMs - this.#secondBeganAtMs >= SECOND_MS) {
      this.#secondBeganAtMs = nowMs;
      this.#waitedMs = 0;
    }
    return this.#waitedMs < WAITING_MS_MAX;
  }

  /** Makes a read on the event loop, and notes how long it took, also where it fails. */
  atOnce<T>(read: () => T): T {
    const begunAtMs = this.#now();
    try {
      return read();
    } finally {
      const tookMs = this.#now() - begunAtMs;
      if (tookMs > IN_MEMORY_MS_MAX) this.#waitedMs += tookMs;
    }
  }
}
