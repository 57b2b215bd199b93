/**
 * Holds copying to a number of bytes per second, so that it does not take the disk from the reads. Used
 * by the primary and by its job threads.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Time that was not used may be made up for this long. */
const BURST_MS = 100;
/** Waits below this are saved up: a timer is no finer. */
const WAIT_MIN_MS = 2;

export class Pace {
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  /** When all that was spent so far is paid for. */
  #paidAtMs = Number.NEGATIVE_INFINITY;

  constructor(bytesPerSecond: number, now: () => number = () => performance.now()) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#now = now;
  }

  /** Counts `bytes`; answers how many milliseconds to wait before the next ones. */
  spend(bytes: number): number {
    const nowMs = this.#now();
    this.#paidAtMs = Math.max(this.#paidAtMs, nowMs - BURST_MS) + bytes / this.#bytesPerMs;
    const waitMs = this.#paidAtMs - nowMs;
    return waitMs >= WAIT_MIN_MS ? waitMs : 0;
  }

  /** Resolves when the next bytes may follow. Rejects once `signal` is aborted. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const waitMs = this.spend(bytes);
    if (waitMs > 0) await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    signal?.throwIfAborted();
  }
}
