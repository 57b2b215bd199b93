/**
 * The store as simply as it can be told: a map of entries and rules that look at all of them. The
 * real one is held to it by entry-store.test.ts.
 */

export interface ModelEntry {
  readonly version: number;
  readonly expiresAtMs: number;
  readonly segment: number;
  readonly storedBytes: number;
  /** The purge that took it first, and whether it could be read at that time. */
  takenBy: ModelPurge | undefined;
  wasReadable: boolean;
  isCleared: boolean;
}

export interface ModelPurge {
  readonly prefix: string;
  matched: number;
}

export class ModelStore {
  nowMs: number;
  readonly entries = new Map<string, ModelEntry>();

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** Whether nothing that could be read was there before. */
  commit(key: string, entry: Omit<ModelEntry, 'takenBy' | 'wasReadable' | 'isCleared'>): boolean {
    const created = this.why(key) !== 'readable';
    this.#forget(key);
    const state = { takenBy: undefined, wasReadable: false, isCleared: false };
    // The entry itself, not a copy: its version is known only once the store has given it.
    this.entries.set(key, Object.assign(entry, state));
    return created;
  }

  remove(key: string): boolean {
    if (this.why(key) !== 'readable') return false;
    this.#forget(key);
    return true;
  }

  removeSeen(key: string, version: number): boolean {
    if (this.entries.get(key)?.version !== version) return false;
    this.#forget(key);
    return true;
  }

  purge(prefix: string): ModelPurge {
    const purge = { prefix, matched: 0 };
    for (const [key, entry] of this.entries) {
      if (!key.startsWith(prefix)) continue;
      if (prefix === '') entry.isCleared = true;
      if (entry.takenBy !== undefined) continue;
      entry.takenBy = purge;
      entry.wasReadable = entry.expiresAtMs === 0 || entry.expiresAtMs > this.nowMs;
    }
    return purge;
  }

  /** What a reader of `key` finds, or why it finds nothing. */
  why(key: string): 'readable' | 'never-seen' | 'purged' | 'expired' {
    const entry = this.entries.get(key);
    if (entry === undefined) return 'never-seen';
    if (entry.takenBy !== undefined) return 'purged';
    return entry.expiresAtMs !== 0 && entry.expiresAtMs <= this.nowMs ? 'expired' : 'readable';
  }

  /** Entries that no clear has taken. */
  get counted(): ModelEntry[] {
    return [...this.entries.values()].filter((entry) => !entry.isCleared);
  }

  /** The purge that took an entry counts it when it goes, unless a clear has come in between. */
  #forget(key: string): void {
    const entry = this.entries.get(key);
    if (entry?.takenBy !== undefined && entry.wasReadable && !entry.isCleared) {
      entry.takenBy.matched += 1;
    }
    this.entries.delete(key);
  }
}
