/**
 * What is true: the entries of the store, as the primary serves them to the workers. Reads go to the
 * index and are judged here; every change passes the write lane, by its name in store-changes.ts.
 */
import type { Explanation } from '../../protocol/explanation.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import type { CommitCondition } from '../../segments/guarded.ts';
import { ReadPace } from '../../segments/read-pace.ts';
import { WarmSet } from '../../segments/warm-set.ts';
import { type ChangeGuard, NOBODY_HOLDS } from '../coherence/coherence.ts';
import { type Barrier, NO_BARRIER } from './barrier.ts';
import type { Index } from './index/index-files.ts';
import { readRecordSync, readRecords } from './index/record-reads.ts';
import { Judge, type Lookup } from './judge.ts';
import type { LeaseTable } from './leases/lease-table.ts';
import { MissedKeys } from './leases/missed-keys.ts';
import { Listing } from './listing.ts';
import { commit } from './operations.ts';
import type { GoneEntries } from './purges/gone-entries.ts';
import type { Purge } from './purges/purges.ts';
import { type NotedCounts, noteCounts } from './recounted.ts';
import type { LossCause, SegmentStats } from './segment-stats.ts';
import { loadState, type StoreState } from './state.ts';
import { StoreChanges, type StoreChangesOptions } from './store-changes.ts';
import { WriteLane } from './write-lane.ts';

export type { Lookup } from './judge.ts';

/** Numbers from which on none was given yet. */
export interface Unused {
  readonly version: number;
  readonly segment: number;
}

/** So the memory of warm keys stays below 2 x 50,000 x 256 characters. */
const WARM_KEY_LENGTH_MAX = 256;

export interface EntryStoreOptions {
  readonly now: () => number;
  readonly barrier: Barrier;
  /** Whether part of the index's log was lost. */
  readonly lostChanges: boolean;
  /** Told which entries are read and written. */
  readonly visited: StoreChangesOptions['visited'];
  /** Makes changes known to whoever holds what they change. */
  readonly guard: ChangeGuard;
  /** What is remembered of entries that went, where that outlives this store. */
  readonly gone: GoneEntries;
}

/** What it is made of. */
interface Loaded {
  readonly index: Index;
  readonly state: StoreState;
  readonly now: () => number;
}

export class EntryStore extends StoreChanges {
  readonly #index: Index;
  readonly #state: StoreState;
  readonly #lane: WriteLane;
  readonly #now: () => number;
  /** Keys whose records are in memory for sure: those are read without leaving the event loop. */
  readonly #warm: WarmSet<string>;
  readonly #pace = new ReadPace();
  readonly #missed = new MissedKeys();
  readonly #judge: Judge;
  readonly listing: Listing;

  private constructor({ index, state, now }: Loaded, changes: StoreChangesOptions) {
    super(changes);
    this.#index = index;
    this.#state = state;
    this.#now = now;
    this.#lane = changes.lane;
    this.#judge = new Judge(state, changes.visited);
    this.listing = new Listing(index, this.#judge, now);
    this.#warm = new WarmSet(now);
  }

  /** Takes over an open index: loads what is known of the store. */
  static async load(index: Index, options: Partial<EntryStoreOptions> = {}): Promise<EntryStore> {
    const { now = Date.now, barrier = NO_BARRIER, lostChanges = false, visited, gone } = options;
    const { guard = NOBODY_HOLDS } = options;
    const state = await loadState(index, lostChanges, now, gone);
    const lane = new WriteLane(index, state, now, barrier);
    return new EntryStore({ index, state, now }, { lane, barrier, visited, guard });
  }

  /** Told once, when the index takes no writes any more. */
  set onFailure(listener: (error: Error) => void) {
    this.#lane.onFailure = listener;
  }

  /** The file of a segment is gone: what points into it counts as evicted from now on. */
  override noteLost(segment: number, cause: LossCause = 'evicted'): void {
    this.#judge.lost.set(segment, cause);
  }

  /** Those segments, and why they are gone. */
  override get lost(): ReadonlyMap<number, LossCause> {
    return this.#judge.lost;
  }

  /** Looks up all of `keys` through the thread pool; the answers stand in the same order. */
  async lookUp(keys: readonly string[]): Promise<Lookup[]> {
    const records = await readRecords(this.#index, keys);
    const nowMs = this.#now();
    return keys.map((key, at) => {
      this.#noteWarm(key);
      return this.#look(key, records[at], nowMs);
    });
  }

  /** Looks one key up at once, if its record is in memory by all appearances; undefined otherwise. */
  lookUpAtOnce(key: string): Lookup | undefined {
    if (this.#warm.has(key)) return this.lookUpSync(key);
    if (!this.#pace.isOpen) return undefined;
    const record = this.#pace.atOnce(() => readRecordSync(this.#index, key));
    this.#noteWarm(key);
    return this.#look(key, record, this.#now());
  }

  #noteWarm(key: string): void {
    // Long keys are rare, and a memory full of them would be large.
    if (key.length <= WARM_KEY_LENGTH_MAX) this.#warm.add(key);
  }

  /** Why a reader of `key` gets what it gets. */
  async explain(key: string): Promise<Explanation> {
    const [record] = await readRecords(this.#index, [key]);
    return this.#judge.explain(key, record, this.#now());
  }

  /** Looks one key up at once. REQUIRES: its record was read just now, so that it is in memory. */
  lookUpSync(key: string): Lookup {
    return this.#look(key, readRecordSync(this.#index, key), this.#now());
  }

  get leases(): LeaseTable {
    return this.#state.leases;
  }

  /**
   * Rejects with PRECONDITION_FAILED where `condition` does not hold. With a lease token it may reject with
   * LEASE_LOST, and who waits next is the holder then.
   */
  async commit(
    writer: number,
    key: string,
    record: Buffer,
    condition?: CommitCondition,
    token?: string,
  ): Promise<Committed> {
    const costed = token === undefined ? this.#missed.withCost(key, record, this.#now()) : record;
    const operation = commit(writer, key, costed, condition, token);
    const committed = await this.change(operation).catch((error: unknown) => {
      if (token !== undefined) this.leases.noteRefused(key, token, error);
      throw error;
    });
    // A key that is overwritten and was read will be read again.
    if (committed.created) this.passBy(key);
    return committed;
  }

  /** The purge of this version, while it is pending and as long as its report is kept. */
  findPurge(version: number): Purge | undefined {
    return this.#state.purges.get(version) ?? this.#state.reports.get(version);
  }

  /** See Purges. */
  isTakenSince(key: string, tags: readonly string[], version: number): boolean {
    return this.#state.purges.isTakenSince(key, tags, version);
  }

  /** Where the hand goes on, as it was saved last; undefined when it never was. */
  get handPosition(): Buffer | undefined {
    return this.#state.handPosition;
  }

  get pendingPurges(): readonly Purge[] {
    return [...this.#state.purges.pending];
  }

  /** Entries of this version and older are gone: the last clear. */
  get clearVersion(): number {
    return this.#state.purges.clearVersion;
  }

  /** Entries in the store, those included that are expired or purged by prefix but not yet removed. */
  get count(): number {
    return Math.max(0, this.#state.count);
  }

  /** False from damage until a recount has ended: no file may be unlinked meanwhile. */
  get countsAreSure(): boolean {
    return this.#state.countsAreSure;
  }

  /** The counters as they stand; between two batches they are those of one point. */
  noteCounts(): NotedCounts {
    return noteCounts(this.#state);
  }

  get segments(): ReadonlyMap<number, Readonly<SegmentStats>> {
    return this.#state.segments;
  }

  /** The first version and the first segment id that this store has not given. */
  get unused(): Unused {
    return { version: this.#state.nextVersion, segment: this.#state.nextSegment };
  }

  /** Changes that wait for the write lane. */
  get writesWaiting(): number {
    return this.#lane.waitingCount;
  }

  /** Why writes are refused; undefined while they are not. */
  get failure(): Error | undefined {
    return this.#lane.failure;
  }

  /** Refuses all further changes, as a failed write does. */
  fail(error: Error): void {
    this.#lane.fail(error);
  }

  /** Entries that were evicted over the whole life of the store. */
  get evicted(): number {
    return this.#state.evicted;
  }

  /** What all segments take, open ones with all that they may grow to. */
  get segmentBytes(): number {
    return this.#state.segmentBytes;
  }

  /** What open segments may still grow by. */
  get unwrittenBytes(): number {
    let bytes = 0;
    for (const id of this.#state.openSegments) {
      const stats = this.#state.segments.get(id);
      if (stats === undefined) continue;
      const { fileBytes, bytesWritten, bytesStreamed } = stats;
      bytes += Math.max(0, fileBytes - Math.max(bytesWritten, bytesStreamed));
    }
    return bytes;
  }

  /** Runs `work` between two batches of the write lane; see WriteLane. */
  betweenBatches<T>(work: () => Promise<T>): Promise<T> {
    return this.#lane.betweenBatches(work);
  }

  /** Ends the lane once everything accepted is written, then closes the index. */
  async close(): Promise<void> {
    this.leases.close();
    await this.#lane.close();
    await this.#index.close();
  }

  #look(key: string, found: Buffer | undefined, nowMs: number): Lookup {
    const judged = this.#judge.judge(key, found, nowMs);
    if (typeof judged === 'number') this.#missed.missed(key, nowMs);
    return judged;
  }
}
