/**
 * The store as simply as it can be told: a map of entries and rules that look at all of them. The
 * real one is held to it by entry-store.test.ts.
 */

export interface ModelEntry {
  readonly version: number;
  readonly expiresAtMs: number;
  readonly segment: number;
  readonly storedBytes: number;
  readonly tags: readonly string[];
  readonly costMs: number;
  /** The soft purge that made it stale while it was fresh, and since when. */
  softenedBy: ModelPurge | undefined;
  softenedAtMs: number;
  /** Whether that purge has counted it. */
  isSoftCounted: boolean;
  /** The purge that took it first, and whether it could be read at that time. */
  takenBy: ModelPurge | undefined;
  wasReadable: boolean;
  isCleared: boolean;
}

export interface ModelPurge {
  readonly prefix: string;
  readonly tag?: string | undefined;
  readonly isSoft?: boolean;
  matched: number;
  removed: number;
  bytes: number;
  costMs: number;
}

type State = 'takenBy' | 'wasReadable' | 'isCleared' | 'softenedBy' | 'softenedAtMs';
export type NewEntry = Omit<ModelEntry, State | 'isSoftCounted'>;

export class ModelStore {
  nowMs: number;
  readonly entries = new Map<string, ModelEntry>();
  /** Why entries are gone, as far as a reader is told. */
  readonly gone = new Map<string, 'purged' | 'swept'>();

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** Whether nothing that could be read was there before. */
  commit(key: string, entry: NewEntry): boolean {
    const created = this.why(key) !== 'readable';
    this.#forget(key, false);
    const state = { takenBy: undefined, wasReadable: false, isCleared: false };
    const soft = { softenedBy: undefined, softenedAtMs: 0, isSoftCounted: false };
    // The entry itself, not a copy: its version is known only once the store has given it.
    this.entries.set(key, Object.assign(entry, state, soft));
    return created;
  }

  remove(key: string): boolean {
    if (this.why(key) !== 'readable') return false;
    this.#forget(key, true);
    return true;
  }

  removeSeen(key: string, version: number): boolean {
    if (this.entries.get(key)?.version !== version) return false;
    this.#forget(key, true);
    return true;
  }

  purge(selection: Pick<ModelPurge, 'prefix' | 'tag' | 'isSoft'>): ModelPurge {
    const { prefix, tag, isSoft = false } = selection;
    const purge = { prefix, tag, isSoft, matched: 0, removed: 0, bytes: 0, costMs: 0 };
    for (const [key, entry] of this.entries) {
      if (tag === undefined ? !key.startsWith(prefix) : !entry.tags.includes(tag)) continue;
      if (prefix === '' && tag === undefined && !isSoft) entry.isCleared = true;
      if (entry.takenBy !== undefined) continue;
      const wasReadable = entry.expiresAtMs === 0 || entry.expiresAtMs > this.nowMs;
      if (isSoft && wasReadable) {
        if (entry.softenedBy !== undefined) continue;
        entry.softenedBy = purge;
        entry.softenedAtMs = this.nowMs;
      } else if (!isSoft) {
        entry.takenBy = purge;
        entry.wasReadable = wasReadable;
      }
    }
    return purge;
  }

  /** What the hand does with those that soft purges made stale; answers how many it finds. */
  soften(): number {
    let softened = 0;
    for (const entry of this.entries.values()) {
      if (entry.takenBy !== undefined || entry.softenedBy === undefined) continue;
      if (entry.isSoftCounted) continue;
      count(entry.softenedBy, entry);
      entry.isSoftCounted = true;
      softened += 1;
    }
    return softened;
  }

  /** What a reader of `key` finds, or why it finds nothing. */
  why(key: string): 'readable' | 'never-seen' | 'purged' | 'expired' | 'swept' {
    const entry = this.entries.get(key);
    if (entry === undefined) return this.gone.get(key) ?? 'never-seen';
    if (entry.takenBy !== undefined) return 'purged';
    return entry.expiresAtMs !== 0 && entry.expiresAtMs <= this.nowMs ? 'expired' : 'readable';
  }

  /** Entries that no clear has taken. */
  get counted(): ModelEntry[] {
    return [...this.entries.values()].filter((entry) => !entry.isCleared);
  }

  /** The purges that took an entry count it when it goes. */
  #forget(key: string, isRemoved: boolean): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    if (entry.softenedBy !== undefined && !entry.isSoftCounted) count(entry.softenedBy, entry);
    if (entry.takenBy !== undefined && entry.wasReadable) count(entry.takenBy, entry);
    if (entry.takenBy !== undefined && isRemoved) entry.takenBy.removed += 1;
    const why = this.why(key);
    if (why === 'purged') this.gone.set(key, 'purged');
    else if (why === 'expired') this.gone.set(key, 'swept');
    else this.gone.delete(key);
    this.entries.delete(key);
  }
}

function count(purge: ModelPurge, { storedBytes, costMs }: ModelEntry): void {
  purge.matched += 1;
  purge.bytes += storedBytes;
  purge.costMs += costMs;
}
