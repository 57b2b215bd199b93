/**
 * What a key may hold while servers are killed: the last acknowledged state, or that of an operation
 * whose outcome nobody was told. One client owns a key, so its operations have an order.
 */

/** The number of a write, or undefined for "no entry". */
export type KeyState = number | undefined;

interface InDoubt {
  readonly state: KeyState;
  readonly sinceMs: number;
}

/** An operation without an answer is applied within this time, or never: its frame is gone by then. */
const IN_DOUBT_MS = 5000;

export class KeyOracle {
  #acknowledged: KeyState;
  #inDoubt: InDoubt[] = [];

  /** The operation was acknowledged: nothing older may ever be seen again. */
  acknowledge(state: KeyState, nowMs: number): void {
    this.#acknowledged = state;
    this.#forgetOld(nowMs);
  }

  /** The operation failed without saying whether it happened. */
  doubt(state: KeyState, nowMs: number): void {
    this.#inDoubt.push({ state, sinceMs: nowMs });
  }

  /** Whether a reader may see this; what was in doubt and is seen has happened. */
  observe(state: KeyState, nowMs: number): boolean {
    if (state === this.#acknowledged) {
      this.#forgetOld(nowMs);
      return true;
    }
    if (!this.#inDoubt.some((one) => one.state === state)) return false;
    this.#acknowledged = state;
    return true;
  }

  describe(): string {
    const inDoubt = this.#inDoubt.map(({ state }) => state ?? 'none').join(', ');
    return `acknowledged ${this.#acknowledged ?? 'none'}, in doubt [${inDoubt}]`;
  }

  #forgetOld(nowMs: number): void {
    this.#inDoubt = this.#inDoubt.filter(({ sinceMs }) => nowMs - sinceMs < IN_DOUBT_MS);
  }
}
