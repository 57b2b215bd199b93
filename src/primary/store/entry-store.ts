/**
 * What is true: the entries of the store, as the primary serves them to the workers. Reads go to the
 * index and are judged here; every change passes the write lane.
 */
import { MISS_CODES, type MissCode } from '../../protocol/miss.ts';
import { expiresAtOf, versionOf, withWholeHead } from '../../protocol/record.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import { WarmSet } from '../../segments/warm-set.ts';
import type { Index } from './index/index-files.ts';
import { entryKey } from './index/index-keys.ts';
import * as operations from './operations.ts';
import type { Purge } from './purges.ts';
import type { SegmentStats } from './segment-stats.ts';
import { loadState, type StoreState } from './state.ts';
import { type LaneOperation, WriteLane } from './write-lane.ts';

/** A record as it stands in the index, or the code of why there is nothing to read. */
export type Lookup = Buffer | MissCode;

/** So the memory of warm keys stays below 2 x 50,000 x 256 characters. */
const WARM_KEY_LENGTH_MAX = 256;

export class EntryStore {
  readonly #index: Index;
  readonly #state: StoreState;
  readonly #lane: WriteLane;
  readonly #now: () => number;
  /** Keys whose records are in memory for sure: those are read without leaving the event loop. */
  readonly #warm: WarmSet<string>;

  private constructor(index: Index, state: StoreState, now: () => number) {
    this.#index = index;
    this.#state = state;
    this.#now = now;
    this.#lane = new WriteLane(index, state, now);
    this.#warm = new WarmSet(now);
  }

  /**
   * Takes over an open index: loads what is known of the store and seals the segments of earlier
   * runs, whose writers are gone.
   */
  static async load(index: Index, now: () => number = Date.now): Promise<EntryStore> {
    const store = new EntryStore(index, await loadState(index), now);
    await store.#run(operations.sealSegments([...store.#state.segments.keys()]));
    return store;
  }

  /** Looks up all of `keys` through the thread pool; the answers stand in the same order. */
  async lookUp(keys: readonly string[]): Promise<Lookup[]> {
    const records = await this.#index.getMany(keys.map(entryKey));
    const nowMs = this.#now();
    return keys.map((key, at) => {
      // Long keys are rare, and a memory full of them would be large.
      if (key.length <= WARM_KEY_LENGTH_MAX) this.#warm.add(key);
      return this.#judge(key, records[at], nowMs);
    });
  }

  /** Looks one key up at once, if its record is in memory for sure; undefined otherwise. */
  lookUpWarm(key: string): Lookup | undefined {
    if (!this.#warm.has(key)) return undefined;
    return this.#judge(key, this.#index.getSync(entryKey(key)), this.#now());
  }

  commit(writer: number, key: string, record: Buffer): Promise<Committed> {
    return this.#run(operations.commit(writer, key, record));
  }

  delete(key: string): Promise<boolean> {
    return this.#run(operations.remove(key));
  }

  /** Removes these records unless they were written since; answers how many it removed. */
  removeSeen(seen: readonly operations.SeenRecord[]): Promise<number> {
    return this.#run(operations.removeSeen(seen));
  }

  /** Purges all keys with the prefix at once; they are removed later, by the hand. */
  purge(prefix: string): Promise<Purge> {
    return this.#run(operations.purge(prefix));
  }

  finishPurges(versions: readonly number[]): Promise<void> {
    return this.#run(operations.finishPurges(versions));
  }

  /** Where the hand goes on, as it was saved last; undefined when it never was. */
  get handPosition(): Buffer | undefined {
    return this.#state.handPosition;
  }

  saveHandPosition(position: Buffer): Promise<void> {
    return this.#run(operations.saveHandPosition(position));
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
    return this.#state.count;
  }

  get segments(): ReadonlyMap<number, Readonly<SegmentStats>> {
    return this.#state.segments;
  }

  /** Why writes are refused; undefined while they are not. */
  get failure(): Error | undefined {
    return this.#lane.failure;
  }

  grantSegment(writer: number): Promise<number> {
    return this.#run(operations.grantSegment(writer));
  }

  sealSegment(writer: number, id: number): Promise<void> {
    return this.#run(operations.sealSegment(writer, id));
  }

  /** Seals whatever a worker left open when it died. */
  sealSegmentsOf(writer: number): Promise<void> {
    return this.#run(operations.sealSegmentsOf(writer));
  }

  markDropping(id: number): Promise<boolean> {
    return this.#run(operations.markDropping(id));
  }

  forgetSegment(id: number): Promise<void> {
    return this.#run(operations.forgetSegment(id));
  }

  /** Runs `work` between two batches of the write lane; see WriteLane. */
  betweenBatches<T>(work: () => Promise<T>): Promise<T> {
    return this.#lane.betweenBatches(work);
  }

  /** Ends the lane once everything accepted is written, then closes the index. */
  async close(): Promise<void> {
    await this.#lane.close();
    await this.#index.close();
  }

  #run<T>(operation: LaneOperation<T>): Promise<T> {
    return this.#lane.run(operation);
  }

  #judge(key: string, found: Buffer | undefined, nowMs: number): Lookup {
    if (found === undefined) return MISS_CODES['never-seen'];
    const record = withWholeHead(found);
    if (this.#state.purges.isPurged(key, versionOf(record))) return MISS_CODES.purged;
    const expiresAtMs = expiresAtOf(record);
    return expiresAtMs !== 0 && expiresAtMs <= nowMs ? MISS_CODES.expired : record;
  }
}
