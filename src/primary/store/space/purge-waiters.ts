/**
 * Those in the primary who wait until a purge is worked off.
 */
export class PurgeWaiters {
  /** Version of the purge -> who waits for it. */
  readonly #waiting = new Map<number, (() => void)[]>();

  /** Resolves when the purge of this version, or all, are released. */
  waitFor(version: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(version);
      if (waiting === undefined) this.#waiting.set(version, [resolve]);
      else waiting.push(resolve);
    });
  }

  release(versions: Iterable<number>): void {
    for (const version of versions) {
      for (const resolve of this.#waiting.get(version) ?? []) resolve();
      this.#waiting.delete(version);
    }
  }

  releaseAll(): void {
    this.release([...this.#waiting.keys()]);
  }
}
