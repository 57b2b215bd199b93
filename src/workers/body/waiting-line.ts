/**
 * Those who wait for something that is shared out, in the order in which they came. Every wait ends:
 * in being let on, or in an error.
 */

interface Wait {
  readonly sinceMs: number;
  resolve(): void;
  reject(error: unknown): void;
}

export class WaitingLine<T> {
  readonly #waits = new Map<T, Wait>();

  /** Resolves when `one` is let on; rejects with what it is refused with. */
  join(one: T, nowMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waits.set(one, { sinceMs: nowMs, resolve, reject });
    });
  }

  /** Lets `one` on, if it waits here. */
  admit(one: T): void {
    const wait = this.#waits.get(one);
    this.#waits.delete(one);
    wait?.resolve();
  }

  /** Who has waited longest. */
  get first(): T | undefined {
    return this.#waits.keys().next().value;
  }

  admitAll(): void {
    for (const one of this.#waits.keys()) this.admit(one);
  }

  /** Ends the wait of `one` with `error`, if it waits here. */
  refuse(one: T, error: unknown): void {
    const wait = this.#waits.get(one);
    this.#waits.delete(one);
    wait?.reject(error);
  }

  /** Ends every wait that began at `sinceMs` or before. */
  refuseSince(sinceMs: number, error: unknown): void {
    for (const [one, wait] of this.#waits) {
      if (wait.sinceMs <= sinceMs) this.refuse(one, error);
    }
  }
}
