/**
 * What a key may hold while servers are killed: the last acknowledged state, or that of an operation
 * whose outcome nobody was told. One client owns a key, so its operations have an order.
 */

/** A write, and when its entry expires; undefined for "no entry". */
export type KeyState = { readonly write: number; readonly expiresAtMs: number } | undefined;

interface InDoubt {
  readonly state: KeyState;
  readonly sinceMs: number;
}

/** What is seen at a time: a write, or that there is nothing. */
export type Verdict = 'right' | 'missing' | 'wrong';

/** An operation without an answer is applied within this time, or never: its frame is gone by then. */
const IN_DOUBT_MS = 5000;
/** Between the clock of the server's decision and the test's there are the ways of request and answer. */
const CLOCK_SLACK_MS = 2000;
const NEVER = Number.POSITIVE_INFINITY;

export class KeyOracle {
  #acknowledged: KeyState;
  /** When the acknowledged operation was sent: an eviction before that was of another entry. */
  #sentMs = 0;
  #inDoubt: InDoubt[] = [];

  /** The operation was acknowledged: nothing older may ever be seen again. */
  acknowledge(state: KeyState, sentMs: number, nowMs: number): void {
    this.#acknowledged = state;
    this.#sentMs = sentMs;
    this.#forgetOld(nowMs);
  }

  /** The operation failed without saying whether it happened. */
  doubt(state: KeyState, nowMs: number): void {
    this.#inDoubt.push({ state, sinceMs: nowMs });
  }

  get sentMs(): number {
    return this.#sentMs;
  }

  /**
   * What to think of a reader who sees `write`, or nothing. `missing`: the entry should be there, so it
   * was evicted, or lost. What was in doubt and is seen has happened.
   */
  observe(write: number | undefined, askedMs: number, nowMs: number): Verdict {
    if (this.#explains(this.#acknowledged, write, askedMs, nowMs)) {
      this.#forgetOld(nowMs);
      return 'right';
    }
    const doubted = this.#inDoubt.find(({ state }) => this.#explains(state, write, askedMs, nowMs));
    if (doubted !== undefined) {
      this.#acknowledged = doubted.state;
      return 'right';
    }
    return write === undefined ? 'missing' : 'wrong';
  }

  describe(): string {
    const show = (state: KeyState): string => (state === undefined ? 'none' : `${state.write}`);
    const inDoubt = this.#inDoubt.map(({ state }) => show(state)).join(', ');
    return `acknowledged ${show(this.#acknowledged)}, in doubt [${inDoubt}]`;
  }

  /** Whether a reader between these times may see `write` where `state` is the truth. */
  #explains(state: KeyState, write: number | undefined, askedMs: number, nowMs: number): boolean {
    const endMs = state?.expiresAtMs ?? NEVER;
    if (write === undefined) return state === undefined || endMs <= nowMs + CLOCK_SLACK_MS;
    return state?.write === write && endMs >= askedMs - CLOCK_SLACK_MS;
  }

  #forgetOld(nowMs: number): void {
    this.#inDoubt = this.#inDoubt.filter(({ sinceMs }) => nowMs - sinceMs < IN_DOUBT_MS);
  }
}
