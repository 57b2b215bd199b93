/** The reports of the purges that have ended, in the primary: the newest of them, restarts included. */
import type { Purge } from './purges.ts';

export const REPORTS_MAX = 1000;

export class PurgeReports {
  /** By version, in the order in which they ended. */
  readonly #ended = new Map<number, Purge>();

  get(version: number): Purge | undefined {
    return this.#ended.get(version);
  }

  get size(): number {
    return this.#ended.size;
  }

  /** The versions that are beyond what is kept once `more` have been added, oldest first. */
  beyond(more: number): number[] {
    const surplus = Math.max(0, this.#ended.size + more - REPORTS_MAX);
    return [...this.#ended.keys()].slice(0, surplus);
  }

  add(purge: Purge): void {
    this.#ended.set(purge.version, purge);
  }

  remove(version: number): void {
    this.#ended.delete(version);
  }
}
