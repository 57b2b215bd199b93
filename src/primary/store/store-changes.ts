/**
 * The changes of the store by their names, in the primary: each is one operation of the write lane, and
 * resolves or rejects when its batch is settled.
 */
import type { CounterOrder, Incremented, SeenInteger } from '../../protocol/counter.ts';
import type { CommitCondition } from '../../segments/guarded.ts';
import type { ChangeGuard } from '../coherence/coherence.ts';
import type { Barrier } from './barrier.ts';
import * as counterOperations from './counter-operations.ts';
import * as operations from './operations.ts';
import * as purgeOperations from './purges/purge-operations.ts';
import type { Purge } from './purges/purges.ts';
import type { Recounted } from './recounted.ts';
import * as segmentOperations from './segment-operations.ts';
import type { LossCause } from './segment-stats.ts';
import type { Visited } from './space/visited.ts';
import type { LaneOperation, WriteLane } from './write-lane.ts';

export interface StoreChangesOptions {
  readonly lane: WriteLane;
  readonly barrier: Barrier;
  /** Told which entries are read and written. */
  readonly visited: Pick<Visited, 'mark' | 'markHash' | 'clear'> | undefined;
  /** Makes changes known to whoever holds what they change. */
  readonly guard: ChangeGuard;
}

export abstract class StoreChanges {
  readonly #lane: WriteLane;
  readonly #barrier: Barrier;
  readonly #visited: StoreChangesOptions['visited'];
  readonly #guard: ChangeGuard;

  protected constructor({ lane, barrier, visited, guard }: StoreChangesOptions) {
    this.#guard = guard;
    this.#lane = lane;
    this.#barrier = barrier;
    this.#visited = visited;
  }

  /** Segments whose files are gone although records point into them, and why. */
  abstract get lost(): ReadonlyMap<number, LossCause>;

  abstract noteLost(segment: number, cause: LossCause): void;

  /** `noteLost` once no worker holds an entry of it. Rejects with DEADLINE_EXCEEDED, as every change. */
  loseSegment(segment: number, cause: LossCause): Promise<void> {
    return this.#guard.changeAll(async () => this.noteLost(segment, cause));
  }

  /** Rejects with PRECONDITION_FAILED where `condition` does not hold. */
  delete(key: string, condition?: CommitCondition): Promise<boolean> {
    this.#visited?.clear(key);
    return this.change(operations.remove(key, condition));
  }

  /** See counter-operations.ts. */
  touch(key: string, ttlMs: number): Promise<boolean> {
    return this.change(counterOperations.touch(key, ttlMs, this));
  }

  /** See counter-operations.ts. Rejects with NOT_AN_INTEGER, COUNTER_OVERFLOW and DISK_FULL. */
  increment(
    key: string,
    order: CounterOrder,
    seen?: SeenInteger,
    hasRoom = true,
  ): Promise<Incremented> {
    return this.change(counterOperations.increment(key, order, seen, { losses: this, hasRoom }));
  }

  /** Removes these records unless they were written since; answers how many it removed. */
  removeSeen(seen: readonly operations.SeenRecord[]): Promise<number> {
    this.#forgetVisits(seen);
    return this.change(operations.removeSeen(seen));
  }

  /** Purges all keys with the prefix at once; they are removed later, by the hand. */
  purge(prefix: string): Promise<Purge> {
    return this.purgeBy({ prefix });
  }

  /** Purges what is selected at once; it is worked off later, by the hand. */
  purgeBy(selection: purgeOperations.Selection): Promise<Purge> {
    return this.#guard.changeAll(() => this.run(purgeOperations.purge(selection)));
  }

  /** Writes into these records what soft purges made of them; answers how many were made stale. */
  soften(seen: readonly operations.SeenRecord[]): Promise<number> {
    return this.run(purgeOperations.soften(seen));
  }

  /** A version for what changes nothing and needs an id. */
  takeVersion(): Promise<number> {
    return this.run(purgeOperations.takeVersion());
  }

  /**
   * Forgets purges that are worked off. The removals go to disk first: if the record of a purge went
   * alone, entries that it had taken would be there again after a power loss.
   */
  async finishPurges(versions: readonly number[]): Promise<void> {
    await this.#barrier.syncLogs();
    await this.run(purgeOperations.finishPurges(versions));
  }

  /** Saves where the hand goes on; what it removed before that is on disk first. */
  async saveHandPosition(position: Buffer): Promise<void> {
    await this.#barrier.syncLogs();
    await this.run(operations.saveHandPosition(position));
  }

  /** Corrects the counters, which are sure from then on. */
  applyRecount(recounted: Recounted): Promise<void> {
    return this.run(operations.applyRecount(recounted));
  }

  /** Grants a new segment that may grow to `bytes`. REQUIRES: there is room for it. */
  grantSegment(writer: number, bytes = 0): Promise<number> {
    return this.run(segmentOperations.grantSegment(writer, bytes));
  }

  extendSegment(writer: number, id: number, bytes: number): Promise<void> {
    return this.run(segmentOperations.extendSegment(writer, id, bytes));
  }

  sealSegment(writer: number, id: number, fileBytes = 0): Promise<void> {
    return this.runAfterCommits(segmentOperations.sealSegment(writer, id, fileBytes));
  }

  /** Seals these segments, whoever writes them, at the size that they may have reached. */
  sealSegments(ids: readonly number[]): Promise<void> {
    return this.runAfterCommits(segmentOperations.sealSegments(ids));
  }

  /** Seals whatever a worker left open when it died; answers which segments. */
  sealSegmentsOf(writer: number): Promise<readonly number[]> {
    return this.runAfterCommits(segmentOperations.sealSegmentsOf(writer));
  }

  /** Seals segments whose writers are gone, and corrects the sizes of others. */
  settleSegments(sizes: ReadonlyMap<number, number>): Promise<void> {
    return this.run(segmentOperations.settleSegments(sizes));
  }

  /** Lets records point to copies; answers the moves that were refused. On disk when it resolves. */
  move(moves: readonly operations.Move[]): Promise<readonly operations.Move[]> {
    return this.run(operations.move(moves));
  }

  /** Evicts these records unless they changed since; answers those that a reader could have read. */
  evict(seen: readonly operations.SeenAt[]): Promise<readonly operations.SeenAt[]> {
    this.#forgetVisits(seen);
    return this.change(operations.evict(seen));
  }

  /** Notes that entries were read whose keys have these hashes. */
  noteHits(hashes: readonly number[]): void {
    for (const hash of hashes) this.#visited?.markHash(hash);
  }

  /** The entry counts as not read: it was written anew, or has had its second chance in its place. */
  passBy(key: string): void {
    this.#visited?.clear(key);
  }

  /** Gives a segment of copies the place of the segment that they come from. */
  placeSegment(id: number, agedFromMs: number): Promise<void> {
    return this.run(segmentOperations.placeSegment(id, agedFromMs));
  }

  markDropping(id: number): Promise<boolean> {
    return this.run(segmentOperations.markDropping(id));
  }

  /** Corrects the counters of a sealed segment. REQUIRES: no record points into it. */
  emptySegment(id: number): Promise<void> {
    return this.run(segmentOperations.emptySegment(id));
  }

  forgetSegment(id: number): Promise<void> {
    return this.run(segmentOperations.forgetSegment(id));
  }

  /** So that the bits of entries that are gone do not pile up over the years. */
  #forgetVisits(seen: readonly operations.SeenRecord[]): void {
    for (const { key } of seen) this.#visited?.clear(key);
  }

  /** `run` for what changes records that a worker may hold. */
  protected change<T>(operation: LaneOperation<T>): Promise<T> {
    return this.#guard.change(operation.keys, () => this.run(operation));
  }

  /** `run` for what ends the writing of a segment: what is to be committed of it comes before. */
  protected async runAfterCommits<T>(operation: LaneOperation<T>): Promise<T> {
    const { begun } = this.#guard;
    if (begun !== undefined) await begun;
    return await this.run(operation);
  }

  protected run<T>(operation: LaneOperation<T>): Promise<T> {
    return this.#lane.run(operation);
  }
}
