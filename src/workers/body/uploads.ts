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
  /** What those of them hold that hold bytes of the budget, in the order in which they began to. */
  readonly #growing = new Map<Reception, number>();
  #growingBytes = 0;
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
    const wasGrowing = this.#stopGrowing(reception);
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
    this.#growingBytes += bytes;
    this.#growing.set(reception, (this.#growing.get(reception) ?? 0) + bytes);
  }

  #stopGrowing(reception: Reception): boolean {
    this.#growingBytes -= this.#growing.get(reception) ?? 0;
    return this.#growing.delete(reception);
  }

  /** Gives back all the `bytes` that `reception` held. */
  release(reception: Reception, bytes: number): void {
    this.#heldBytes -= bytes;
    this.#stopGrowing(reception);
    this.#admit();
  }

  /**
   * Waits until `reception` may read on; undefined when it may at once. Of the bodies that share the
   * budget and are not whole the oldest may, so that they can never all wait for each other; only
   * bodies that are whole and fill the budget alone, until their answers have left, keep it waiting
   * too. So memory is bounded by the budget, two more bodies, and the first piece of each other. Rejects
   * with what the reception is refused with: OVERLOADED when it has waited for as long as a stall may last.
   *
   * REQUIRES: `reception` holds bytes; what holds none must not keep others from reading.
   */
  room(reception: Reception): Promise<void> | undefined {
    if (this.#heldBytes < this.#limits.uploadBytesMax) return undefined;
    if (this.#favoured() === reception) return undefined;
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

  /**
   * The one that may read beyond the budget: the oldest that grows. A stream holds little and may take
   * hours, so it comes after all that are collected.
   */
  #favoured(): Reception | undefined {
    if (this.#heldBytes - this.#growingBytes >= this.#limits.uploadBytesMax) return undefined;
    const growing = [...this.#growing.keys()];
    return growing.find((reception) => !this.#streams.has(reception)) ?? growing[0];
  }

  #admit(): void {
    if (this.#heldBytes < this.#limits.uploadBytesMax) {
      this.#line.admitAll();
      return;
    }
    const favoured = this.#favoured();
    if (favoured !== undefined) this.#line.admit(favoured);
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
