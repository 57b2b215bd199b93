/**
 * Which keys the server said it evicts, from its log at level trace: it says so before it does, so an
 * entry that is missing without having been named was lost.
 */
import type { LogLine } from '../server-process.ts';

export class Evictions {
  /** Key -> when it was last named. */
  readonly #namedAtMs = new Map<string, number>();
  #count = 0;

  /** Takes one line of the log. */
  read(line: LogLine): void {
    const { evicting, time } = line;
    if (!Array.isArray(evicting) || typeof time !== 'number') return;
    for (const key of evicting) this.#namedAtMs.set(String(key), time);
    this.#count += evicting.length;
  }

  /** Whether the key was evicted since a time. */
  includes(key: string, sinceMs: number): boolean {
    return (this.#namedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
  }

  /** How often a key was named. */
  get count(): number {
    return this.#count;
  }
}
