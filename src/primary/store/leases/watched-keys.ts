/**
 * The keys that lease tokens were given for, in the primary: whether a key was written, deleted or purged
 * since a token of it was given. By versions alone, so a token outlives its lease by any time.
 */
import type { Purges } from '../purges/purges.ts';

export interface WatchLimits {
  readonly keysMax: number;
  /** UTF-16 units of all watched keys and their tags together. */
  readonly unitsMax: number;
}

export const WATCH_LIMITS: WatchLimits = { keysMax: 65_536, unitsMax: 8 * 1024 * 1024 };

interface Watch {
  /** The version at which the oldest of the key's tokens was given. */
  readonly since: number;
  /** Those of the entry that stood there then, and still does. */
  readonly tags: readonly string[];
  readonly units: number;
}

/**
 * INVARIANT: a token is good only while its key is watched, since a version that is not above its own. A
 * write or a deletion ends the watch, so nothing of them has to be remembered; purges, which name no
 * keys, are looked up when a token comes back.
 */
export class WatchedKeys {
  readonly #limits: WatchLimits;
  readonly #purges: Purges;
  /** The longest watched first. */
  readonly #watches = new Map<string, Watch>();
  #units = 0;

  constructor(purges: Purges, limits: WatchLimits = WATCH_LIMITS) {
    this.#purges = purges;
    this.#limits = limits;
  }

  get size(): number {
    return this.#watches.size;
  }

  /**
   * A token of `key` is given at `version`, over an entry with these tags. Where there are too many keys
   * the longest watched go, and their tokens are lost. REQUIRES: versions never fall.
   */
  watch(key: string, version: number, tags: readonly string[]): void {
    // Nothing has happened to a key that is watched, but perhaps a purge: tokens bear their own versions.
    if (this.#watches.has(key)) return;
    const units = tags.reduce((sum, tag) => sum + tag.length, key.length);
    this.#watches.set(key, { since: version, tags, units });
    this.#units += units;
    const { keysMax, unitsMax } = this.#limits;
    for (const oldest of this.#watches.keys()) {
      if (oldest === key || (this.#watches.size <= keysMax && this.#units <= unitsMax)) break;
      this.unwatch(oldest);
    }
  }

  /** The key was written or deleted: its tokens are lost. */
  unwatch(key: string): void {
    const watch = this.#watches.get(key);
    if (watch === undefined) return;
    this.#watches.delete(key);
    this.#units -= watch.units;
  }

  /**
   * The judgement of a token that was given at `version`: whether its key was neither written, deleted
   * nor purged since. `tags` are those of the entry that is being written; those of the entry that it
   * replaces are known here.
   */
  isUnchangedSince(key: string, version: number, tags: readonly string[]): boolean {
    const watch = this.#watches.get(key);
    if (watch === undefined || watch.since > version) return false;
    return !this.#purges.isTakenSince(key, [...watch.tags, ...tags], version);
  }
}
