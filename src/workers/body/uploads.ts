/**
 * All bodies that a worker is receiving: cuts those that stall or trickle, and keeps what they hold in
 * memory together within one budget. One per worker.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import type { Limits } from '../limits.ts';
import { WaitingLine } from './waiting-line.ts';

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
  | 'bodyStallMs'
  | 'bodyWindowMs'
  | 'bodyWindowBytesMin'
  | 'bodyCheckMs'
  | 'uploadBytesMax'
  | 'streamsMax'
>;

export class Uploads {
  readonly #limits: UploadLimits;
  readonly #now: () => number;
  /** Bodies still arriving, in the order in which they were first waited for. */
  readonly #receptions = new Set<Reception>();
  /** Those of them that hold bytes of the budget, in the order in which they began to. */
  readonly #growing = new Set<Reception>();
  readonly #line = new WaitingLine<Reception>();
  /** Those that are stored as they arrive. */
  readonly #streams = new Set<Reception>();
  readonly #streamLine = new WaitingLine<Reception>();
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

  /** The body of `reception` is whole, or nobody wants it any more. */
  remove(reception: Reception): void {
    const wasGrowing = this.#growing.delete(reception);
    if (this.#receptions.delete(reception) && this.#receptions.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (wasGrowing) this.#admit();
    if (this.#streams.delete(reception)) this.#admitStream();
  }

  /** Counts `bytes` that `reception` keeps in memory, until it releases them. */
  hold(reception: Reception, bytes: number): void {
    this.#heldBytes += bytes;
    this.#growing.add(reception);
  }

  /** Gives back all the `bytes` that `reception` held. */
  release(reception: Reception, bytes: number): void {
    this.#heldBytes -= bytes;
    this.#growing.delete(reception);
    this.#admit();
  }

  /**
   * Waits until `reception` may read on; undefined when it may at once. Of the bodies that share the
   * budget and are not whole the oldest always may, so that they can never all wait for each other:
   * memory is bounded by the budget and one more body. Rejects with what the reception is refused
   * with: OVERLOADED when a slow client has kept it waiting for as long as a stall may last.
   *
   * REQUIRES: `reception` holds bytes; what holds none must not keep others from reading.
   */
  room(reception: Reception): Promise<void> | undefined {
    if (this.#heldBytes < this.#limits.uploadBytesMax) return undefined;
    if (this.#oldestGrowing() === reception) return undefined;
    this.add(reception);
    return this.#line.join(reception, this.#now());
  }

  /**
   * Waits until `reception` may be stored as it arrives; undefined when it may at once. Rejects as
   * `room` does. REQUIRES: `reception` holds nothing yet, so that nobody waits for one that waits here.
   */
  streamTurn(reception: Reception): Promise<void> | undefined {
    if (this.#streams.size < this.#limits.streamsMax) {
      this.#streams.add(reception);
      return undefined;
    }
    this.add(reception);
    return this.#streamLine.join(reception, this.#now());
  }

  /** Ends every body that is being stored as it arrives: none of them may hold up the store. */
  failStreams(error: BigCacheError): void {
    for (const stream of this.#streams) stream.fail(error);
  }

  /** Ends the waits of a reception whose client has left, or that has failed otherwise. */
  refuse(reception: Reception, error: BigCacheError): void {
    this.#line.refuse(reception, error);
    this.#streamLine.refuse(reception, error);
  }

  #admitStream(): void {
    const next = this.#streamLine.first;
    if (next === undefined) return;
    this.#streams.add(next);
    this.#streamLine.admit(next);
  }

  /** A stream holds little and may take hours, so it comes after all that are collected. */
  #oldestGrowing(): Reception | undefined {
    for (const reception of this.#growing) if (!this.#streams.has(reception)) return reception;
    return this.#growing.values().next().value;
  }

  #admit(): void {
    if (this.#heldBytes < this.#limits.uploadBytesMax) {
      this.#line.admitAll();
      return;
    }
    const oldest = this.#oldestGrowing();
    if (oldest !== undefined) this.#line.admit(oldest);
  }

  /** Judges every reception by the clock. Called by a timer, and by tests. */
  check(): void {
    const nowMs = this.#now();
    for (const reception of this.#receptions) {
      if (this.#isTooSlow(reception, nowMs)) reception.fail(new BigCacheError('REQUEST_TIMEOUT'));
    }
    const waitedSinceMs = nowMs - this.#limits.bodyStallMs;
    const overloaded = new BigCacheError('OVERLOADED');
    this.#line.refuseSince(waitedSinceMs, overloaded);
    this.#streamLine.refuseSince(waitedSinceMs, overloaded);
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
