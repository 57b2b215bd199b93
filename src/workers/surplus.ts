/**
 * When this worker holds too many of the kept connections, and how many it gives up. Which worker accepts
 * a connection is chance, and one that is kept stays where it came; so a worker with a surplus ends some
 * with their next answers, at a bounded rate, and chance decides again.
 */

/** Up to so many times its share a worker holds on to what it has. */
const SURPLUS_ABOVE = 1.25;
/** Of this time; the primary tells the share as often. */
const ROUND_MS = 1000;
/** A handshake of TLS takes about a millisecond of both sides. */
export const CLOSINGS_PER_ROUND_MAX = 128;
/** Where less of what was given up went elsewhere, giving up helps little. */
const GONE_AT_LEAST = 0.25;
const RESTING_ROUNDS_MAX = 64;

export class Surplus {
  /**
   * The time, on the clock of `performance.now`, from which on an answer may end its connection; infinite
   * while none may. Every request looks at it.
   */
  closesFromMs = Number.POSITIVE_INFINITY;
  readonly #open: () => number;
  #share = 0;
  /** What may still be given up in this round. */
  #left = 0;
  #gapMs = ROUND_MS;
  #openBefore = 0;
  #closedBefore = 0;
  /** So many rounds in a row had a surplus. */
  #lopsidedRounds = 0;
  #failures = 0;
  #resting = 0;

  /** `open` answers how many connections this worker holds. */
  constructor(open: () => number) {
    this.#open = open;
  }

  /**
   * Begins a round in which an even share would be `share` connections. What others hold is known as it
   * was up to a second ago, so a surplus counts when it is there for the second time.
   */
  beginRound(share: number, nowMs: number): void {
    const open = this.#open();
    this.#judgeLastRound(open);
    const isLopsided = open > SURPLUS_ABOVE * share;
    this.#lopsidedRounds = isLopsided ? this.#lopsidedRounds + 1 : 0;
    if (!isLopsided) this.#failures = 0;
    this.#share = share;
    this.#openBefore = open;
    this.#closedBefore = 0;
    const mayClose = this.#lopsidedRounds > 1 && this.#resting === 0;
    this.#resting = Math.max(0, this.#resting - 1);
    this.#left = mayClose ? Math.min(open - share, CLOSINGS_PER_ROUND_MAX) : 0;
    this.#gapMs = ROUND_MS / Math.max(1, this.#left);
    this.closesFromMs = this.#left > 0 ? nowMs : Number.POSITIVE_INFINITY;
  }

  /** Where clients come back to this very worker, it asks them more and more rarely. */
  #judgeLastRound(open: number): void {
    if (this.#closedBefore === 0) return;
    if (this.#openBefore - open >= GONE_AT_LEAST * this.#closedBefore) {
      this.#failures = 0;
      return;
    }
    this.#failures += 1;
    this.#resting = Math.min(2 ** this.#failures - 1, RESTING_ROUNDS_MAX);
  }

  /** Whether one connection may be given up now; if so, the next one may a little later. */
  take(nowMs: number): boolean {
    if (nowMs < this.closesFromMs) return false;
    if (this.#left === 0 || this.#open() <= this.#share) {
      this.closesFromMs = Number.POSITIVE_INFINITY;
      return false;
    }
    this.#left -= 1;
    this.#closedBefore += 1;
    // What was due while no answer left is made up for.
    this.closesFromMs += this.#gapMs;
    return true;
  }
}
