/**
 * The purges that are still being worked off, and the judgement whether one of them took an entry.
 * The cost of a judgement depends on the number of distinct prefix lengths, never on what matches.
 */
import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import { DamagedValueError, purgeKey } from './index/index-keys.ts';

/** Beyond this many pending purges, further ones are refused with PURGES_PENDING. */
export const PENDING_PURGES_MAX = 10_000;

/** So many finished purges are remembered for leases. */
export const FINISHED_PURGES_MAX = 10_000;

/** A purge takes every matching entry whose version is below its own. */
export interface Purge {
  readonly version: number;
  /** The empty prefix stands for everything. */
  readonly prefix: string;
  readonly startedAtMs: number;
  /** Entries it took that could still be read when it began, as far as they are counted. */
  matched: number;
}

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

/** Covers the version that is the key, the prefix, and the time. */
function checksumOf(version: number, prefix: string, startedAtMs: number): number {
  const time = Buffer.alloc(8);
  time.writeBigUInt64LE(BigInt(startedAtMs));
  return crc32(time, crc32(prefix, crc32(purgeKey(version))));
}

export function encodePurge({ version, prefix, startedAtMs }: Purge): Buffer {
  const checksum = checksumOf(version, prefix, startedAtMs);
  return Buffer.from(packr.pack([prefix, startedAtMs, checksum]));
}

/** Throws a DamagedValueError when `bytes` is not what was stored for the purge of this version. */
export function decodePurge(version: number, bytes: Buffer): Purge {
  const [prefix, startedAtMs, checksum] = unpackArray(bytes);
  if (
    typeof prefix !== 'string' ||
    typeof startedAtMs !== 'number' ||
    !Number.isSafeInteger(startedAtMs) ||
    startedAtMs < 0 ||
    // Early stores have none.
    (checksum !== undefined && checksum !== checksumOf(version, prefix, startedAtMs))
  ) {
    throw new DamagedValueError(`the purge of version ${version}`);
  }
  return { version, prefix, startedAtMs, matched: 0 };
}

function unpackArray(bytes: Buffer): unknown[] {
  try {
    const value: unknown = unpackr.unpack(bytes);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
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
  /** Prefix length -> prefix -> its purges, oldest first. */
  readonly #byLength = new Map<number, Map<string, Purge[]>>();
  /** Prefix -> version of its newest purge that is finished. */
  readonly #finished = new Map<string, number>();
  readonly #finishedLengths = new Map<number, number>();
  /** Finished purges of this version and older are not remembered. */
  #finishedFloor = 0;

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

  add(purge: Purge): void {
    this.#pending.set(purge.version, purge);
    if (purge.prefix === '') {
      this.#clearVersion = Math.max(this.#clearVersion, purge.version);
      return;
    }
    const length = purge.prefix.length;
    const samePrefix = this.#ofLength(length).get(purge.prefix);
    if (samePrefix === undefined) this.#ofLength(length).set(purge.prefix, [purge]);
    else samePrefix.push(purge);
  }

  /** Forgets a purge. REQUIRES: no entry is left that it took. */
  remove(version: number): void {
    const purge = this.#pending.get(version);
    if (purge === undefined) return;
    this.#pending.delete(version);
    this.#remember(purge);
    const byPrefix = this.#byLength.get(purge.prefix.length);
    const samePrefix = byPrefix?.get(purge.prefix) ?? [];
    const at = samePrefix.indexOf(purge);
    if (at >= 0) samePrefix.splice(at, 1);
    if (samePrefix.length === 0) byPrefix?.delete(purge.prefix);
    if (byPrefix?.size === 0) this.#byLength.delete(purge.prefix.length);
  }

  /** The clear's mark, which outlives the clear itself. */
  restoreClear(version: number): void {
    this.#clearVersion = Math.max(this.#clearVersion, version);
  }

  /** Whether the entry `key` of this version has been purged. */
  isPurged(key: string, version: number): boolean {
    return version <= this.#clearVersion || this.#isTaken(key, version);
  }

  #isTaken(key: string, version: number): boolean {
    for (const [length, byPrefix] of this.#byLength) {
      if (length > key.length) continue;
      const newest = byPrefix.get(key.slice(0, length))?.at(-1);
      if (newest !== undefined && version < newest.version) return true;
    }
    return false;
  }

  /**
   * Whether an entry `key` with these tags that was made of what was known at `version` has been purged
   * since, also by a purge that has finished. Of very many finished ones only the newest are known by
   * what they select; whoever is older than those that are not counts as purged. There is no purge by
   * tag yet.
   */
  isTakenSince(key: string, _tags: readonly string[], version: number): boolean {
    if (version < this.#clearVersion || version < this.#finishedFloor) return true;
    for (const length of this.#finishedLengths.keys()) {
      if (length > key.length) continue;
      if ((this.#finished.get(key.slice(0, length)) ?? 0) > version) return true;
    }
    return this.#isTaken(key, version);
  }

  #remember({ prefix, version }: Purge): void {
    if (prefix === '') return;
    const { length } = prefix;
    const known = this.#finished.get(prefix);
    if (known === undefined) {
      this.#finishedLengths.set(length, (this.#finishedLengths.get(length) ?? 0) + 1);
    }
    this.#finished.delete(prefix);
    this.#finished.set(prefix, Math.max(known ?? 0, version));
    if (this.#finished.size <= FINISHED_PURGES_MAX) return;
    const [[oldest, itsVersion] = ['', 0]] = this.#finished;
    this.#finished.delete(oldest);
    const left = (this.#finishedLengths.get(oldest.length) ?? 0) - 1;
    if (left > 0) this.#finishedLengths.set(oldest.length, left);
    else this.#finishedLengths.delete(oldest.length);
    this.#finishedFloor = Math.max(this.#finishedFloor, itsVersion);
  }

  /** The oldest pending purge that took the entry: the one that counts it. */
  killerOf(key: string, version: number): Purge | undefined {
    let killer: Purge | undefined;
    for (const [length, byPrefix] of this.#byLength) {
      if (length > key.length) continue;
      const oldest = byPrefix.get(key.slice(0, length))?.find((purge) => purge.version > version);
      if (oldest !== undefined && (killer?.version ?? Number.POSITIVE_INFINITY) > oldest.version) {
        killer = oldest;
      }
    }
    return killer;
  }

  #ofLength(length: number): Map<string, Purge[]> {
    let byPrefix = this.#byLength.get(length);
    if (byPrefix === undefined) {
      byPrefix = new Map();
      this.#byLength.set(length, byPrefix);
    }
    return byPrefix;
  }
}
