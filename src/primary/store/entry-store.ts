/**
 * What is true: the entries of the store, as the primary serves them to the workers. Reads go to the
 * index and are judged here; every change passes the write lane.
 */
import type { CounterOrder, Incremented, SeenInteger } from '../../protocol/counter.ts';
import type { Explanation } from '../../protocol/explanation.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import type { CommitCondition } from '../../segments/guarded.ts';
import { WarmSet } from '../../segments/warm-set.ts';
import { type Barrier, NO_BARRIER } from './barrier.ts';
import * as counterOperations from './counter-operations.ts';
import type { Index } from './index/index-files.ts';
import { readRecordSync, readRecords } from './index/record-reads.ts';
import { Judge, type Lookup } from './judge.ts';
import type { LeaseTable } from './leases/lease-table.ts';
import { MissedKeys } from './leases/missed-keys.ts';
import { Listing } from './listing.ts';
import * as operations from './operations.ts';
import type { GoneEntries } from './purges/gone-entries.ts';
import * as purgeOperations from './purges/purge-operations.ts';
import type { Purge } from './purges/purges.ts';
import { type NotedCounts, noteCounts, type Recounted } from './recounted.ts';
import * as segmentOperations from './segment-operations.ts';
import type { LossCause, SegmentStats } from './segment-stats.ts';
import type { Visited } from './space/visited.ts';
import { loadState, type StoreState } from './state.ts';
import { type LaneOperation, WriteLane } from './write-lane.ts';

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
  readonly visited: Pick<Visited, 'mark' | 'clear'> | undefined;
  /** What is remembered of entries that went, where that outlives this store. */
  readonly gone: GoneEntries;
}

export class EntryStore {
  readonly #index: Index;
  readonly #state: StoreState;
  readonly #lane: WriteLane;
  readonly #now: () => number;
  readonly #barrier: Barrier;
  /** Keys whose records are in memory for sure: those are read without leaving the event loop. */
  readonly #warm: WarmSet<string>;
  readonly #missed = new MissedKeys();
  readonly #judge: Judge;
  readonly listing: Listing;
  readonly #visited: Pick<Visited, 'mark' | 'clear'> | undefined;

  private constructor(
    index: Index,
    state: StoreState,
    now: () => number,
    barrier: Barrier,
    visited: Pick<Visited, 'mark' | 'clear'> | undefined,
  ) {
    this.#index = index;
    this.#state = state;
    this.#now = now;
    this.#barrier = barrier;
    this.#visited = visited;
    this.#judge = new Judge(state, visited);
    this.listing = new Listing(index, this.#judge, now);
    this.#lane = new WriteLane(index, state, now, barrier);
    this.#warm = new WarmSet(now);
  }

  /** Takes over an open index: loads what is known of the store. */
  static async load(index: Index, options: Partial<EntryStoreOptions> = {}): Promise<EntryStore> {
    const { now = Date.now, barrier = NO_BARRIER, lostChanges = false, visited, gone } = options;
    const state = await loadState(index, lostChanges, now, gone);
    return new EntryStore(index, state, now, barrier, visited);
  }

  /** Told once, when the index takes no writes any more. */
  set onFailure(listener: (error: Error) => void) {
    this.#lane.onFailure = listener;
  }

  /** The file of a segment is gone: what points into it counts as evicted from now on. */
  noteLost(segment: number, cause: LossCause = 'evicted'): void {
    this.#judge.lost.set(segment, cause);
  }

  /** Those segments, and why they are gone. */
  get lost(): ReadonlyMap<number, LossCause> {
    return this.#judge.lost;
  }

  /** Looks up all of `keys` through the thread pool; the answers stand in the same order. */
  async lookUp(keys: readonly string[]): Promise<Lookup[]> {
    const records = await readRecords(this.#index, keys);
    const nowMs = this.#now();
    return keys.map((key, at) => {
      // Long keys are rare, and a memory full of them would be large.
      if (key.length <= WARM_KEY_LENGTH_MAX) this.#warm.add(key);
      return this.#look(key, records[at], nowMs);
    });
  }

  /** Looks one key up at once, if its record is in memory for sure; undefined otherwise. */
  lookUpWarm(key: string): Lookup | undefined {
    if (!this.#warm.has(key)) return undefined;
    return this.#look(key, readRecordSync(this.#index, key), this.#now());
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
    const operation = operations.commit(writer, key, costed, condition, token);
    const committed = await this.#run(operation).catch((error: unknown) => {
      if (token !== undefined) this.leases.noteRefused(key, token, error);
      throw error;
    });
    // A key that is overwritten and was read will be read again.
    if (committed.created) this.#visited?.clear(key);
    return committed;
  }

  /** Rejects with PRECONDITION_FAILED where `condition` does not hold. */
  delete(key: string, condition?: CommitCondition): Promise<boolean> {
    this.#visited?.clear(key);
    return this.#run(operations.remove(key, condition));
  }

  /** See counter-operations.ts. */
  touch(key: string, ttlMs: number): Promise<boolean> {
    return this.#run(counterOperations.touch(key, ttlMs, this));
  }

  /** See counter-operations.ts. Rejects with NOT_AN_INTEGER, COUNTER_OVERFLOW and DISK_FULL. */
  increment(
    key: string,
    order: CounterOrder,
    seen?: SeenInteger,
    hasRoom = true,
  ): Promise<Incremented> {
    return this.#run(counterOperations.increment(key, order, seen, { losses: this, hasRoom }));
  }

  /** Removes these records unless they were written since; answers how many it removed. */
  removeSeen(seen: readonly operations.SeenRecord[]): Promise<number> {
    this.#forgetVisits(seen);
    return this.#run(operations.removeSeen(seen));
  }

  /** Purges all keys with the prefix at once; they are removed later, by the hand. */
  purge(prefix: string): Promise<Purge> {
    return this.purgeBy({ prefix });
  }

  /** Purges what is selected at once; it is worked off later, by the hand. */
  purgeBy(selection: purgeOperations.Selection): Promise<Purge> {
    return this.#run(purgeOperations.purge(selection));
  }

  /** Writes into these records what soft purges made of them; answers how many were made stale. */
  soften(seen: readonly operations.SeenRecord[]): Promise<number> {
    return this.#run(purgeOperations.soften(seen));
  }

  /** A version for what changes nothing and needs an id. */
  takeVersion(): Promise<number> {
    return this.#run(purgeOperations.takeVersion());
  }

  /** The purge of this version, while it is pending and as long as its report is kept. */
  findPurge(version: number): Purge | undefined {
    return this.#state.purges.get(version) ?? this.#state.reports.get(version);
  }

  /** See Purges. */
  isTakenSince(key: string, tags: readonly string[], version: number): boolean {
    return this.#state.purges.isTakenSince(key, tags, version);
  }

  /**
   * Forgets purges that are worked off. The removals go to disk first: if the record of a purge went
   * alone, entries that it had taken would be there again after a power loss.
   */
  async finishPurges(versions: readonly number[]): Promise<void> {
    await this.#barrier.syncLogs();
    await this.#run(purgeOperations.finishPurges(versions));
  }

  /** Where the hand goes on, as it was saved last; undefined when it never was. */
  get handPosition(): Buffer | undefined {
    return this.#state.handPosition;
  }

  /** Saves where the hand goes on; what it removed before that is on disk first. */
  async saveHandPosition(position: Buffer): Promise<void> {
    await this.#barrier.syncLogs();
    await this.#run(operations.saveHandPosition(position));
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

  /** Corrects the counters, which are sure from then on. */
  applyRecount(recounted: Recounted): Promise<void> {
    return this.#run(operations.applyRecount(recounted));
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

  /** Grants a new segment that may grow to `bytes`. REQUIRES: there is room for it. */
  grantSegment(writer: number, bytes = 0): Promise<number> {
    return this.#run(segmentOperations.grantSegment(writer, bytes));
  }

  extendSegment(writer: number, id: number, bytes: number): Promise<void> {
    return this.#run(segmentOperations.extendSegment(writer, id, bytes));
  }

  sealSegment(writer: number, id: number, fileBytes = 0): Promise<void> {
    return this.#run(segmentOperations.sealSegment(writer, id, fileBytes));
  }

  /** Seals these segments, whoever writes them, at the size that they may have reached. */
  sealSegments(ids: readonly number[]): Promise<void> {
    return this.#run(segmentOperations.sealSegments(ids));
  }

  /** Seals whatever a worker left open when it died; answers which segments. */
  sealSegmentsOf(writer: number): Promise<readonly number[]> {
    return this.#run(segmentOperations.sealSegmentsOf(writer));
  }

  /** Seals segments whose writers are gone, and corrects the sizes of others. */
  settleSegments(sizes: ReadonlyMap<number, number>): Promise<void> {
    return this.#run(segmentOperations.settleSegments(sizes));
  }

  /** Lets records point to copies; answers the moves that were refused. On disk when it resolves. */
  move(moves: readonly operations.Move[]): Promise<readonly operations.Move[]> {
    return this.#run(operations.move(moves));
  }

  /** Evicts these records unless they changed since; answers those that a reader could have read. */
  evict(seen: readonly operations.SeenAt[]): Promise<readonly operations.SeenAt[]> {
    this.#forgetVisits(seen);
    return this.#run(operations.evict(seen));
  }

  /** The entry has had its second chance, in its place. */
  passBy(key: string): void {
    this.#visited?.clear(key);
  }

  /** Gives a segment of copies the place of the segment that they come from. */
  placeSegment(id: number, agedFromMs: number): Promise<void> {
    return this.#run(segmentOperations.placeSegment(id, agedFromMs));
  }

  markDropping(id: number): Promise<boolean> {
    return this.#run(segmentOperations.markDropping(id));
  }

  /** Corrects the counters of a sealed segment. REQUIRES: no record points into it. */
  emptySegment(id: number): Promise<void> {
    return this.#run(segmentOperations.emptySegment(id));
  }

  forgetSegment(id: number): Promise<void> {
    return this.#run(segmentOperations.forgetSegment(id));
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

  /** So that the bits of entries that are gone do not pile up over the years. */
  #forgetVisits(seen: readonly operations.SeenRecord[]): void {
    for (const { key } of seen) this.#visited?.clear(key);
  }

  #run<T>(operation: LaneOperation<T>): Promise<T> {
    return this.#lane.run(operation);
  }

  #look(key: string, found: Buffer | undefined, nowMs: number): Lookup {
    const judged = this.#judge.judge(key, found, nowMs);
    if (typeof judged === 'number') this.#missed.missed(key, nowMs);
    return judged;
  }
}
