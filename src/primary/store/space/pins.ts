/**
 * Segments that must not be unlinked for now, because a backup still has to take them. Held in the
 * memory of the primary.
 */

/** The segments of one holder. */
export interface Pin {
  /** Gives one of them up. */
  release(segment: number): void;
  /** Gives up all that are left. */
  releaseAll(): void;
}

export class Pins {
  readonly #held = new Set<Set<number>>();

  /** Pins these segments until they are released. */
  pin(segments: Iterable<number>): Pin {
    const held = new Set(segments);
    this.#held.add(held);
    return {
      release: (segment) => {
        held.delete(segment);
        if (held.size === 0) this.#held.delete(held);
      },
      releaseAll: () => {
        held.clear();
        this.#held.delete(held);
      },
    };
  }

  /** Whether anybody holds the segment: then its file stays. */
  isPinned(segment: number): boolean {
    for (const held of this.#held) if (held.has(segment)) return true;
    return false;
  }
}
