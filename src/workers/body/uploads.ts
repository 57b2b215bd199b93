/**
 * All bodies that a worker is receiving: cuts those that stall or trickle, and keeps what they hold in
 * memory together within one budget. One per worker.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import type { Limits } from '../limits.ts';

/** What is known of a body that has not arrived whole. Times are of the injected clock. */
export interface Reception {
  /** Since when the client has been waited for; undefined while the server is what is slow. */
  waitingSinceMs: number | undefined;
  windowStartMs: number;
  windowBytes: number;
  /** Ends the reception with `error`. */
  fail(error: BigCacheError): void;
}

type UploadLimits = Pick<
  Limits,
  'bodyStallMs' | 'bodyWindowMs' | 'bodyWindowBytesMin' | 'bodyCheckMs' | 'uploadBytesMax'
>;

export class Uploads {
  readonly #limits: UploadLimits;
  readonly #now: () => number;
  /** Bodies still arriving, in the order in which they were first waited for. */
  readonly #receptions = new Set<Reception>();
  readonly #queue = new Map<Reception, () => void>();
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: UploadLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Milliseconds of the clock that receptions are judged by. */
  now(): number {
    return this.#now();
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  add(reception: Reception): void {
    this.#receptions.add(reception);
    this.#timer ??= setInterval(() => this.check(), this.#limits.bodyCheckMs).unref();
  }

  remove(reception: Reception): void {
    this.#queue.delete(reception);
    if (!this.#receptions.delete(reception)) return;
    if (this.#receptions.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#admit();
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#admit();
  }

  /**
   * Waits until `reception` may read on; undefined when it may at once. The oldest always may, so that
   * uploads which share the budget can never wait for each other: memory is bounded by the budget and
   * one more body.
   */
  room(reception: Reception): Promise<void> | undefined {
    if (this.#mayRead(reception)) return undefined;
    return new Promise((resolve) => this.#queue.set(reception, resolve));
  }

  #mayRead(reception: Reception): boolean {
    if (this.#heldBytes < this.#limits.uploadBytesMax) return true;
    const oldest = this.#receptions.values().next().value;
    return oldest === undefined || oldest === reception;
  }

  #admit(): void {
    for (const [reception, resume] of this.#queue) {
      if (!this.#mayRead(reception)) return;
      this.#queue.delete(reception);
      resume();
    }
  }

  /** Judges every reception by the clock. Called by a timer, and by tests. */
  check(): void {
    const nowMs = this.#now();
    for (const reception of this.#receptions) {
      if (this.#isTooSlow(reception, nowMs)) reception.fail(new BigCacheError('REQUEST_TIMEOUT'));
    }
  }

  #isTooSlow(reception: Reception, nowMs: number): boolean {
    const { waitingSinceMs } = reception;
    if (waitingSinceMs === undefined) return false;
    if (nowMs - waitingSinceMs >= this.#limits.bodyStallMs) return true;
    if (nowMs - reception.windowStartMs < this.#limits.bodyWindowMs) return false;
    if (reception.windowBytes < this.#limits.bodyWindowBytesMin) return true;
    reception.windowStartMs = nowMs;
    reception.windowBytes = 0;
    return false;
  }
}
