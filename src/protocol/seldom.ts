/** Log lines that one cause would write many times: one in a while is let through, and says how many were not. */
export class Seldom {
  readonly #everyMs: number;
  readonly #elapsedMs: () => number;
  #passedAtMs = Number.NEGATIVE_INFINITY;
  #heldBack = 0;

  constructor(everyMs: number, elapsedMs: () => number = () => performance.now()) {
    this.#everyMs = everyMs;
    this.#elapsedMs = elapsedMs;
  }

  /** How many were held back since one was let through; undefined where this one is held back, too. */
  pass(): number | undefined {
    const nowMs = this.#elapsedMs();
    if (nowMs - this.#passedAtMs < this.#everyMs) {
      this.#heldBack += 1;
      return undefined;
    }
    const heldBack = this.#heldBack;
    this.#passedAtMs = nowMs;
    this.#heldBack = 0;
    return heldBack;
  }
}
