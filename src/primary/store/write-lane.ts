/**
 * The one write lane: every change of the store passes here, in order. What waits while a batch is
 * being written goes into the next one (group commit): judged against the overlay of that batch,
 * written at once, and only then published and acknowledged.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { withWholeHead } from '../../protocol/record.ts';
import { toStoreError } from '../../segments/faults.ts';
import { type Barrier, NO_BARRIER } from './barrier.ts';
import type { Index } from './index/index-files.ts';
import { type IndexChange, writeChanges } from './index/index-writes.ts';
import { readRecords } from './index/record-reads.ts';
import type { StoreState } from './state.ts';
import { Transaction } from './transaction.ts';

/** One change, judged and applied inside a batch. */
export interface LaneOperation<T> {
  /** The keys whose records `apply` looks at or changes. */
  readonly keys: readonly string[];
  /** The segments that its records point into. Where the bodies must be on disk first, they are. */
  readonly segments?: readonly number[];
  /**
   * Applies the change. May throw a BigCacheError to refuse it. REQUIRES: it throws before it
   * changes anything.
   */
  apply(transaction: Transaction): T;
}

const OPERATIONS_PER_BATCH_MAX = 1024;
const KEYS_PER_BATCH_MAX = 8192;
/** Beyond this many waiting operations further ones are refused with OVERLOADED. */
const WAITING_MAX = 65_536;

interface Waiting {
  readonly operation: LaneOperation<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class WriteLane {
  readonly #index: Index;
  readonly #state: StoreState;
  readonly #now: () => number;
  readonly #barrier: Barrier;
  #waiting: Waiting[] = [];
  /** Work that is done between two batches. */
  #pauses: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(index: Index, state: StoreState, now: () => number, barrier: Barrier = NO_BARRIER) {
    this.#index = index;
    this.#state = state;
    this.#now = now;
    this.#barrier = barrier;
  }

  /** Told once, when a batch could not be written. */
  onFailure: (error: Error) => void = () => undefined;

  /** Operations that wait for their batch. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Why writes are refused since a batch failed; undefined while the lane works. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Resolves with what `apply` returned, once its batch is in the index. Rejects with what `apply`
   * threw, or STORE_CLOSED, OVERLOADED, DISK_FULL, STORE_FAILED.
   */
  run<T>(operation: LaneOperation<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new BigCacheError('STORE_CLOSED'));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(new BigCacheError('OVERLOADED'));
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ operation, resolve: resolve as (result: unknown) => void, reject });
      this.#running ??= this.#work();
    });
  }

  /**
   * Runs `work` while no batch is under way: what it sees of the index and of the state is one point
   * in the order of all changes. Changes wait meanwhile, so it must be short. Rejects with what `work`
   * throws, or STORE_CLOSED.
   */
  betweenBatches<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new BigCacheError('STORE_CLOSED'));
    return new Promise<T>((resolve, reject) => {
      this.#pauses.push(() => work().then(resolve, reject));
      this.#running ??= this.#work();
    });
  }

  /** Refuses all further changes: what was written to the index is not safe there. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.onFailure(error);
  }

  /** Takes no further operations; resolves when those that were taken are done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #work(): Promise<void> {
    // What arrives in this tick belongs into the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0 || this.#pauses.length > 0) {
      for (const pause of this.#pauses.splice(0)) await pause();
      if (this.#waiting.length > 0) await this.#commit(this.#takeBatch());
    }
    this.#running = undefined;
  }

  #takeBatch(): Waiting[] {
    let keys = 0;
    let count = 0;
    for (const { operation } of this.#waiting) {
      keys += operation.keys.length;
      if (count > 0 && (keys > KEYS_PER_BATCH_MAX || count >= OPERATIONS_PER_BATCH_MAX)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #commit(taken: Waiting[]): Promise<void> {
    let batch = taken;
    let transaction: Transaction;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#barrier.syncsEachBatch) batch = await this.#withBodiesOnDisk(taken);
      transaction = await this.#begin(batch);
    } catch (error) {
      // What cannot be read fails these operations alone: nothing has been written.
      const refusal = toReadError(error);
      for (const waiting of batch) waiting.reject(refusal);
      return;
    }
    try {
      const settle = batch.map((waiting) => applyOne(waiting, transaction));
      const changes = transaction.changes();
      if (changes.length > 0) await this.#write(batch, changes, transaction.mustSync);
      transaction.publish();
      for (const acknowledge of settle) acknowledge();
    } catch (error) {
      this.#fail(error);
      for (const waiting of batch) waiting.reject(this.#failure);
    }
  }

  /** Those of the batch whose bodies are on disk now; the others are refused. */
  async #withBodiesOnDisk(batch: Waiting[]): Promise<Waiting[]> {
    const segments = segmentsOf(batch);
    if (segments.size === 0) return batch;
    const failures = await this.#barrier.syncBodies(segments);
    if (failures.size === 0) return batch;
    return batch.filter(({ operation, reject }) => {
      const failed = operation.segments?.find((segment) => failures.has(segment));
      if (failed !== undefined) reject(failures.get(failed));
      return failed === undefined;
    });
  }

  /** A batch that is synced has everything before it on disk as well. */
  async #write(batch: Waiting[], changes: IndexChange[], mustSync: boolean): Promise<void> {
    const sync = mustSync || this.#barrier.syncsEachBatch;
    await writeChanges(this.#index, changes, sync);
    this.#barrier.wrote(segmentsOf(batch));
    if (sync) await this.#barrier.syncRotatedLogs();
  }

  async #begin(batch: Waiting[]): Promise<Transaction> {
    const keys = [...new Set(batch.flatMap(({ operation }) => operation.keys))];
    const records = await readRecords(this.#index, keys);
    const before = new Map<string, Buffer | undefined>();
    keys.forEach((key, at) => {
      const record = records[at];
      before.set(key, record === undefined ? undefined : withWholeHead(record));
    });
    return new Transaction(this.#state, before, this.#now());
  }

  /** After a failed write LevelDB may lose later ones (docs/decisions), so none is let through. */
  #fail(error: unknown): void {
    if (isBroken(error)) throw error;
    this.fail(toWriteError(error));
  }
}

function segmentsOf(batch: readonly Waiting[]): Set<number> {
  return new Set(batch.flatMap(({ operation }) => operation.segments ?? []));
}

function applyOne(waiting: Waiting, transaction: Transaction): () => void {
  try {
    const result = waiting.operation.apply(transaction);
    return () => waiting.resolve(result);
  } catch (error) {
    if (!(error instanceof BigCacheError)) throw error;
    return () => waiting.reject(error);
  }
}

/** A broken invariant or a defect of ours, which must crash the process. */
function isBroken(error: unknown): boolean {
  if (error instanceof BigCacheError) return false;
  return (error as { code?: unknown }).code === undefined;
}

/** The refusal for operations whose records could not be read. */
function toReadError(error: unknown): Error {
  if (error instanceof BigCacheError) return error;
  if (isBroken(error)) throw error;
  return new BigCacheError('STORE_FAILED', undefined, { cause: error });
}

function toWriteError(error: unknown): Error {
  if (error instanceof BigCacheError) return error;
  const text = String((error as Error).message) + String((error as Error).cause ?? '');
  if (/No space left|ENOSPC|quota/i.test(text)) {
    return new BigCacheError('DISK_FULL', undefined, { cause: error });
  }
  const converted = toStoreError(error);
  return converted instanceof BigCacheError
    ? converted
    : new BigCacheError('STORE_FAILED', undefined, { cause: error });
}
