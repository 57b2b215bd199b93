/**
 * The purges that are still being worked off, and the judgement whether one of them took an entry: in
 * the primary for every lookup, in job threads for every record of a scan.
 */
import { deserialize, serialize } from 'node:v8';
import { isFreshAt, isIntact, staleRecord, versionOf } from '../../../protocol/record.ts';
import { FinishedPurges } from './finished-purges.ts';
import { type PurgeMark, PurgeMatchers } from './purge-matchers.ts';

/** Beyond this many pending purges, further ones are refused with PURGES_PENDING. */
export const PENDING_PURGES_MAX = 10_000;

/**
 * A purge takes every matching entry whose version is below its own: a hard one for good, a soft one
 * makes it stale. Its figures grow while it is worked off; PurgeReport says what they are.
 */
export interface Purge extends PurgeMark {
  readonly startedAtMs: number;
  matched: number;
  removed: number;
  bytes: number;
  costMs: number;
  finishedAtMs: number | null;
}

/** A purge that has counted nothing yet. */
export function newPurge({
  version,
  prefix,
  tag,
  isSoft = false,
  startedAtMs = 0,
}: PurgeMark): Purge {
  const figures = { matched: 0, removed: 0, bytes: 0, costMs: 0, finishedAtMs: null };
  return { version, prefix, tag, isSoft, startedAtMs, ...figures };
}

/**
 * Whether a clear took an entry of this version out of the counters. What has lost its version to damage
 * has the version 0, and was counted where nothing was ever cleared.
 */
export function isCleared(version: number, clearVersion: number): boolean {
  return clearVersion > 0 && version <= clearVersion;
}

export class Purges {
  /** Entries of this version and older are gone, whatever their key: the last clear. */
  #clearVersion = 0;
  readonly #pending = new Map<number, Purge>();
  readonly #hard = new PurgeMatchers<Purge>();
  readonly #soft = new PurgeMatchers<Purge>();
  readonly #finished = new FinishedPurges();
  #softPending = 0;

  get clearVersion(): number {
    return this.#clearVersion;
  }

  /** Purges that are not yet worked off, oldest first. */
  get pending(): Iterable<Purge> {
    return this.#pending.values();
  }

  get size(): number {
    return this.#pending.size;
  }

  /** The pending purge of this version. */
  get(version: number): Purge | undefined {
    return this.#pending.get(version);
  }

  add(purge: Purge): void {
    this.#pending.set(purge.version, purge);
    if (purge.isSoft === true) {
      this.#softPending += 1;
      this.#soft.add(purge);
      return;
    }
    this.#hard.add(purge);
    if (isOfEverything(purge)) this.restoreClear(purge.version);
  }

  /**
   * Ends a purge: it judges no entry any more, but is remembered for `isTakenSince`. REQUIRES: no entry
   * is left that it took, and what a soft one took is stale by its own record.
   */
  remove(version: number): void {
    const purge = this.#pending.get(version);
    if (purge === undefined) return;
    this.#pending.delete(version);
    this.#finished.add(purge);
    if (purge.isSoft !== true) {
      this.#hard.remove(purge);
      return;
    }
    this.#softPending -= 1;
    this.#soft.remove(purge);
  }

  /** The clear's mark, which outlives the clear itself. */
  restoreClear(version: number): void {
    this.#clearVersion = Math.max(this.#clearVersion, version);
  }

  /** Whether the entry `key` with this record is gone. */
  isPurged(key: string, record: Buffer): boolean {
    const version = versionOf(record);
    return version <= this.#clearVersion || this.#hard.takes(key, version, record);
  }

  /**
   * The record as it is to be judged and shown: stale from the oldest soft purge on that took it, else
   * `record` itself. What is damaged stays as it is, since a new checksum would hide that.
   */
  withStaleness(key: string, record: Buffer): Buffer {
    if (this.#softPending === 0) return record;
    const softened = this.softenerOf(key, record);
    return softened === undefined
      ? record
      : staleRecord(Buffer.from(key), record, softened.startedAtMs);
  }

  /** The soft purge that makes the record stale, where it is not so by itself: the oldest counts. */
  softenerOf(key: string, record: Buffer): Purge | undefined {
    if (this.#softPending === 0) return undefined;
    const purge = this.#soft.oldest(key, versionOf(record), record);
    if (purge === undefined || !isFreshAt(record, purge.startedAtMs)) return undefined;
    return isIntact(Buffer.from(key), record) ? purge : undefined;
  }

  /** The oldest pending purge that removed the entry: the one that counts it. */
  killerOf(key: string, record: Buffer): Purge | undefined {
    return this.#hard.oldest(key, versionOf(record), record);
  }

  /**
   * Whether an entry `key` with these tags that was made of what was known at `version` has been purged
   * since, hard or soft, also by a purge that has finished. Of very many finished ones only the newest
   * are known by what they select; whoever is older than those that are not counts as purged.
   */
  isTakenSince(key: string, tags: readonly string[], version: number): boolean {
    return (
      version < this.#clearVersion ||
      this.#hard.takes(key, version, tags) ||
      this.#soft.takes(key, version, tags) ||
      this.#finished.takes(key, version, tags)
    );
  }
}

/** The purges as a job thread is told of them. */
export function purgesFrom(clearVersion: number, marks: readonly PurgeMark[]): Purges {
  const purges = new Purges();
  purges.restoreClear(clearVersion);
  for (const mark of marks) purges.add(newPurge(mark));
  return purges;
}

/**
 * Marks in memory that threads share: sending 10,000 of them anew with each chunk of a scan would cost
 * the primary's event loop 14 ms each time.
 */
export function packMarks(marks: readonly PurgeMark[]): Uint8Array {
  const bytes = serialize(
    marks.map(({ version, prefix, tag, isSoft, startedAtMs }) => {
      return { version, prefix, tag, isSoft, startedAtMs };
    }),
  );
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

/** The marks that `packMarks` packed; none where nothing was. */
export function unpackMarks(packed: Uint8Array | undefined): readonly PurgeMark[] {
  return packed === undefined ? [] : (deserialize(Buffer.from(packed)) as PurgeMark[]);
}

export function isOfEverything({ prefix, tag }: PurgeMark): boolean {
  return prefix === '' && tag === undefined;
}
