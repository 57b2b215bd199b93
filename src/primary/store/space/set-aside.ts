/**
 * Segments that are left alone for a while, since something has failed with them: others get their turn
 * meanwhile. Held in the memory of the primary.
 */
import { type Clock, SYSTEM_CLOCK } from './rate-limit.ts';

const SET_ASIDE_MS = 60_000;

export class SetAside {
  readonly #clock: Pick<Clock, 'elapsedMs'>;
  readonly #untilMs = new Map<number, number>();

  constructor(clock: Pick<Clock, 'elapsedMs'> = SYSTEM_CLOCK) {
    this.#clock = clock;
  }

  add(segment: number): void {
    this.#untilMs.set(segment, this.#clock.elapsedMs() + SET_ASIDE_MS);
  }

  /** Whether the segment is still to be left alone. */
  has(segment: number): boolean {
    const untilMs = this.#untilMs.get(segment);
    if (untilMs === undefined) return false;
    if (this.#clock.elapsedMs() < untilMs) return true;
    this.#untilMs.delete(segment);
    return false;
  }
}
