/**
 * Which segment the primary takes next when room is short: a hand sweeps over the segments by age, from
 * the oldest to the youngest and then from the oldest again. What is copied stays in the place of what it
 * was copied from, as in SIEVE: docs/decisions/eviction.md has the reason and the figures.
 */

/** What the choice looks at in a segment. */
export interface Aged {
  readonly id: number;
  /** Its place: when it was granted, or the place of the segment that was last copied into it. */
  readonly agedFromMs: number;
}

export class Sweep {
  #handMs = Number.NEGATIVE_INFINITY;

  /**
   * The next segment beyond the hand, which moves there, or the oldest once it has passed the youngest.
   * Of segments that share a place, one is taken in each round. Undefined when there is no segment.
   */
  next<Segment extends Aged>(segments: Iterable<Segment>): Segment | undefined {
    let oldest: Segment | undefined;
    let beyond: Segment | undefined;
    for (const segment of segments) {
      if (oldest === undefined || isOlder(segment, oldest)) oldest = segment;
      if (segment.agedFromMs <= this.#handMs) continue;
      if (beyond === undefined || isOlder(segment, beyond)) beyond = segment;
    }
    const next = beyond ?? oldest;
    if (next !== undefined) this.#handMs = next.agedFromMs;
    return next;
  }
}

function isOlder(one: Aged, other: Aged): boolean {
  return (
    one.agedFromMs < other.agedFromMs || (one.agedFromMs === other.agedFromMs && one.id < other.id)
  );
}
