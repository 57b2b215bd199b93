/**
 * Spreads work in the background over time: so many units per second, no matter how fast each of them is
 * done. Used by the primary and by its job threads.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Time as background work sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds since some fixed moment; never runs backwards. */
  elapsedMs(): number;
  /** Resolves after `ms`, or as soon as `signal` is aborted. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = {
  elapsedMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
};

/** What was not used of the rate lately may be made up for, as far as this time goes back. */
const CREDIT_MS = 250;
const WAIT_MIN_MS = 2;

export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: Clock;
  /** When all that was done so far is done at the rate. */
  #evenAtMs = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number, clock: Clock = SYSTEM_CLOCK) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Milliseconds to wait before more is done; 0 when it may be done now. */
  get waitMs(): number {
    return Math.max(0, this.#evenAtMs - this.#clock.elapsedMs());
  }

  /** Says that so many units were done. */
  spend(units: number): void {
    const fromMs = Math.max(this.#evenAtMs, this.#clock.elapsedMs() - CREDIT_MS);
    this.#evenAtMs = fromMs + (units / this.#perSecond) * 1000;
  }

  /** Says that so many units were done; resolves when more may be, or once `signal` is aborted. */
  async take(units: number, signal = new AbortController().signal): Promise<void> {
    this.spend(units);
    // A timer is no finer, so waits below this are saved up.
    if (this.waitMs >= WAIT_MIN_MS) await this.#clock.sleep(this.waitMs, signal);
  }
}
