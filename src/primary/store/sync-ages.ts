/**
 * How old what is not on the disk yet is, in the primary: told of each write and each pass that brings
 * what was written to the disk.
 */
export class SyncAges {
  readonly #now: () => number;
  #syncedAtMs: number | undefined;
  /** The oldest write that the pass under way, if there is one, does not bring. */
  #writtenAtMs: number | undefined;
  /** The oldest write that it brings. */
  #underWayAtMs: number | undefined;

  /** `now` is in milliseconds of a clock that does not jump. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  wrote(): void {
    this.#writtenAtMs ??= this.#now();
  }

  /** A pass begins: it brings all that was written until now. */
  begins(): void {
    this.#underWayAtMs = this.#writtenAtMs;
    this.#writtenAtMs = undefined;
  }

  synced(): void {
    this.#underWayAtMs = undefined;
    this.#syncedAtMs = this.#now();
  }

  /** The pass has not brought everything, so another one must. */
  failed(): void {
    this.#writtenAtMs = this.#underWayAtMs ?? this.#writtenAtMs;
    this.#underWayAtMs = undefined;
  }

  get current(): { readonly syncAgeMs: number; readonly unsyncedAgeMs: number } {
    return {
      syncAgeMs: this.#since(this.#syncedAtMs),
      unsyncedAgeMs: this.#since(this.#underWayAtMs ?? this.#writtenAtMs),
    };
  }

  #since(atMs: number | undefined): number {
    return atMs === undefined ? 0 : Math.max(0, this.#now() - atMs);
  }
}
