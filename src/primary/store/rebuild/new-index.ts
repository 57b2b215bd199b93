/**
 * A new index that is made from the appends of a store's segments, beside its place. Which append of a
 * key is the newest is decided through the index itself, so its memory does not grow with the number
 * of entries.
 */
import { rm } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import {
  expiresAtOf,
  pointerOf,
  RECORD_BYTES_MAX,
  storedAtOf,
  storedBytesOf,
  versionOf,
} from '../../../protocol/record.ts';
import { occupiedBytesOf } from '../../../segments/format.ts';
import { syncFiles } from '../../directory/durable-files.ts';
import { INDEX_OPTIONS, type Index, SENTINEL } from '../index/index-files.ts';
import {
  encodeNumber,
  entryKey,
  entryRange,
  type MetaName,
  metaKey,
  segmentKey,
} from '../index/index-keys.ts';
import {
  encodeSegmentStats,
  newSegmentStats,
  SegmentState,
  type SegmentStats,
} from '../segment-stats.ts';
import { VERSIONS_PER_EPOCH } from '../state.ts';
import { type FoundEntry, recordOf } from './found-entry.ts';

export interface NewIndexOptions {
  /** Where it is made; removed first. */
  readonly path: string;
  readonly nowMs: number;
  /** Whether entries come back as they were; otherwise they come back stale. */
  readonly isTrusted: boolean;
}

/**
 * No segment has this id. A record that points here stands for a newest append whose body is damaged:
 * it keeps older ones of its key out, and goes before the index is finished.
 */
const NOWHERE = 0;
const CHANGES_PER_BATCH = 1000;

export class NewIndex {
  readonly #index: Index;
  readonly #options: NewIndexOptions;
  readonly #segments = new Map<number, SegmentStats>();
  readonly #epoch: number;
  #nextVersion: number;
  #records = 0;
  #nowhere = 0;
  #expired = 0;

  private constructor(index: Index, options: NewIndexOptions) {
    this.#index = index;
    this.#options = options;
    this.#epoch = epochAt(options.nowMs);
    this.#nextVersion = this.#epoch + 1;
  }

  static async create(options: NewIndexOptions): Promise<NewIndex> {
    await rm(options.path, { recursive: true, force: true });
    const index: Index = new ClassicLevel(options.path, {
      ...INDEX_OPTIONS,
      multithreading: false,
      createIfMissing: true,
    });
    await index.open();
    return new NewIndex(index, options);
  }

  /** Entries that it has. */
  get count(): number {
    return this.#records - this.#nowhere;
  }

  /** Entries among them whose time was over before. */
  get expired(): number {
    return this.#expired;
  }

  /** Entries whose body lies in the segment. */
  recordsIn(segment: number): number {
    return this.#segments.get(segment)?.records ?? 0;
  }

  /** Takes a segment into the accounting, as one that nobody will write to any more. */
  addSegment(id: number, createdAtMs: number, fileBytes: number): void {
    const stats = newSegmentStats(id, 0, createdAtMs, fileBytes);
    stats.state = SegmentState.sealed;
    this.#segments.set(id, stats);
  }

  /** Leaves a segment out of the index. REQUIRES: no record points into it. */
  forgetSegment(id: number): void {
    this.#segments.delete(id);
  }

  /**
   * Takes entries in. The newest of a key wins: the one that was stored last, or of those stored in
   * one millisecond the last to be taken in. Answers how many others they displaced, or were
   * displaced by. REQUIRES: segments are added in the order of their ids, entries in that of the file.
   */
  async add(entries: readonly FoundEntry[]): Promise<number> {
    const keys = [...new Set(entries.map(({ key }) => key))];
    const stored = await this.#index.getMany(keys.map(entryKey));
    const standing = new Map(keys.map((key, at) => [key, stored[at]]));
    const changed = new Map<string, Buffer>();
    let displaced = 0;
    for (const entry of entries) {
      const before = standing.get(entry.key);
      if (before !== undefined) displaced += 1;
      if (before !== undefined && storedAtOf(before) > entry.meta.storedAtMs) continue;
      const record = this.#recordOf(entry);
      if (before !== undefined) this.#discount(entry.key, before);
      this.#account(entry.key, record);
      standing.set(entry.key, record);
      changed.set(entry.key, record);
    }
    const puts = [...changed].map(
      ([key, value]) => ({ type: 'put', key: entryKey(key), value }) as const,
    );
    if (puts.length > 0) await this.#index.batch(puts);
    return displaced;
  }

  /** Writes what an index needs beside its entries, closes it, and has all of it on the disk. */
  async finish(nextSegment: number): Promise<void> {
    if (this.#nowhere > 0) await this.#removeNowhere();
    const put = (key: Buffer, value: Buffer) => ({ type: 'put', key, value }) as const;
    const number = (name: MetaName, value: number) => put(metaKey(name), encodeNumber(name, value));
    await this.#index.batch([
      ...[...this.#segments].map(([id, stats]) => put(segmentKey(id), encodeSegmentStats(stats))),
      number('versions', this.#epoch + VERSIONS_PER_EPOCH),
      number('count', this.count),
      number('clear', 0),
      number('next-segment', nextSegment),
      put(SENTINEL, Buffer.from('1')),
    ]);
    await this.#index.close();
    // LevelDB leaves the last log, and what it rotated, to the system.
    await syncFiles(this.#options.path);
  }

  /** Gives it up, and removes what there is of it. */
  async abandon(): Promise<void> {
    await this.#index.close();
    await rm(this.#options.path, { recursive: true, force: true });
  }

  #recordOf(entry: FoundEntry): Buffer {
    const version = this.#nextVersion;
    this.#nextVersion += 1;
    const { nowMs, isTrusted } = this.#options;
    const record = recordOf(entry, version, isTrusted ? undefined : nowMs);
    const isUsable = entry.bodyIsIntact && record.length <= RECORD_BYTES_MAX;
    return isUsable ? record : recordOf({ ...entry, segment: NOWHERE }, version, undefined);
  }

  #account(key: string, record: Buffer): void {
    this.#count(key, record, 1);
    const { segment, offset } = pointerOf(record);
    const stats = this.#segments.get(segment);
    if (stats === undefined) return;
    stats.bytesWritten = Math.max(stats.bytesWritten, offset + storedBytesOf(record));
    stats.lastVersion = versionOf(record);
  }

  #discount(key: string, record: Buffer): void {
    this.#count(key, record, -1);
  }

  #count(key: string, record: Buffer, sign: 1 | -1): void {
    const { segment } = pointerOf(record);
    this.#records += sign;
    if (segment === NOWHERE) {
      this.#nowhere += sign;
      return;
    }
    const expiresAtMs = expiresAtOf(record);
    // What is stale from now on had time left.
    if (expiresAtMs !== 0 && expiresAtMs < this.#options.nowMs) this.#expired += sign;
    const stats = this.#segments.get(segment);
    if (stats === undefined) throw new Error('INVARIANT: an entry comes from a segment taken in');
    stats.records += sign;
    stats.bytesLive += sign * occupiedBytesOf(Buffer.byteLength(key), record);
  }

  async #removeNowhere(): Promise<void> {
    let dels: { type: 'del'; key: Buffer }[] = [];
    for await (const [key, record] of this.#index.iterator({
      ...entryRange(''),
      fillCache: false,
    })) {
      if (pointerOf(record).segment !== NOWHERE) continue;
      dels.push({ type: 'del', key });
      if (dels.length < CHANGES_PER_BATCH) continue;
      await this.#index.batch(dels);
      dels = [];
    }
    await this.#index.batch(dels);
    this.#records -= this.#nowhere;
    this.#nowhere = 0;
  }
}

const HOUR_MS = 3_600_000;
const FIRST_EPOCH_MS = Date.UTC(2020, 0);

/**
 * The first version of an epoch above those of the lost index, whose number nobody knows: each start
 * takes one epoch, and no store was started once an hour since 2020.
 */
function epochAt(nowMs: number): number {
  return Math.max(1, Math.floor((nowMs - FIRST_EPOCH_MS) / HOUR_MS)) * VERSIONS_PER_EPOCH;
}
