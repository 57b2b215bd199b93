/**
 * What was asked of each key and when it was acknowledged, and from that what a store may hold of it
 * when the power fails. One client owns a key, so its operations have an order.
 */

/** The number of a write, or undefined for "no entry". */
export type KeyState = number | undefined;

export interface Step {
  readonly state: KeyState;
  readonly sentAtMs: number;
  /** Undefined while nobody was told the outcome, and for ever when it failed. */
  acknowledgedAtMs: number | undefined;
}

/** What was seen that must not be. */
export type Violation = 'lost' | 'stale' | 'resurrected' | 'of the future';

export class History {
  readonly #steps = new Map<string, Step[]>();

  /** An operation on `key` is sent, after which it is to be in `state`. */
  begin(key: string, state: KeyState, sentAtMs: number): Step {
    const step: Step = { state, sentAtMs, acknowledgedAtMs: undefined };
    const steps = this.#steps.get(key);
    if (steps === undefined) this.#steps.set(key, [step]);
    else steps.push(step);
    return step;
  }

  get keys(): string[] {
    return [...this.#steps.keys()];
  }

  /** Operations that were acknowledged by `atMs`. */
  acknowledgedBy(atMs: number): number {
    let count = 0;
    for (const steps of this.#steps.values()) {
      for (const { acknowledgedAtMs } of steps) if ((acknowledgedAtMs ?? Infinity) <= atMs) count++;
    }
    return count;
  }

  /**
   * Judges what `key` holds after the power failed at `atMs`, when everything acknowledged by
   * `safeUntilMs` must be there. Undefined when it may hold that.
   */
  judge(key: string, seen: KeyState, atMs: number, safeUntilMs: number): Violation | undefined {
    const sent = (this.#steps.get(key) ?? []).filter(({ sentAtMs }) => sentAtMs <= atMs);
    const floor = sent.findLastIndex(
      ({ acknowledgedAtMs }) => (acknowledgedAtMs ?? Infinity) <= safeUntilMs,
    );
    const allowed = sent.slice(Math.max(0, floor)).map(({ state }) => state);
    if (floor === -1) allowed.push(undefined);
    if (allowed.includes(seen)) return undefined;
    // Of what was overwritten inside the window, record and body may come back from different times.
    if (seen === undefined) {
      return safeUntilMs < atMs && allowed.length > 1 ? undefined : 'lost';
    }
    if (!sent.some(({ state }) => state === seen)) return 'of the future';
    return allowed.every((state) => state === undefined) ? 'resurrected' : 'stale';
  }
}
