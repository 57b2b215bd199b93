/**
 * The index of entries as a worker sees it: records, conditions and pointers, never a body. The
 * primary stands behind it.
 */
import type { CounterOrder, Incremented, SeenInteger } from '../../protocol/counter.ts';
import type { Explanation } from '../../protocol/explanation.ts';
import type { Page, PageAsked } from '../../protocol/listing.ts';
import type { MissReason } from '../../protocol/miss.ts';
import type { PurgeOrder, PurgeReport } from '../../protocol/purge.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import type { CommitCondition } from '../../segments/guarded.ts';
import type { Wait } from '../leases/waiting-room.ts';
import type { Reading } from './store.ts';

export interface LeaseAsked {
  readonly leaseMs: number;
  readonly stale: Reading['stale'];
  readonly mayWait: boolean;
}

/** What is there, and who may make it. */
export interface LeaseFound {
  readonly found: Buffer | MissReason;
  readonly token: string | undefined;
  readonly retryAfterMs: number;
  /** Where the caller is in line for the lease. */
  readonly wait: Wait | undefined;
}

/** Rejections are BigCacheErrors; see Store for their codes. */
export interface EntryIndex {
  /** The encoded record of `key`, or why there is nothing to read. */
  lookUp(key: string): Promise<Buffer | MissReason>;
  /**
   * Makes a record valid whose body is in a segment of this worker. Rejects with PRECONDITION_FAILED
   * where `condition` does not hold, with LEASE_LOST where the token is no good.
   */
  commit(
    key: string,
    record: Buffer,
    condition?: CommitCondition,
    leaseToken?: string,
  ): Promise<Committed>;
  /** `lookUp` of who would make what is missing or stale. */
  lease(key: string, asked: LeaseAsked): Promise<LeaseFound>;
  /** Rejects with LEASE_LOST where a commit with this token would be refused as things stand. */
  checkLease(key: string, token: string): Promise<void>;
  releaseLease(key: string, token: string): Promise<boolean>;
  /** Rejects with PRECONDITION_FAILED where `condition` does not hold. */
  delete(key: string, condition?: CommitCondition): Promise<boolean>;
  /** See Store. */
  touch(key: string, ttlMs: number): Promise<boolean>;
  /**
   * Adds to a counter. Where the body of the entry is in a segment, its version comes back; with what was
   * read there as `seen` it is done, unless the entry is another by then.
   */
  increment(key: string, order: CounterOrder, seen?: SeenInteger): Promise<Incremented>;
  /** See Store; with encoded records. */
  list(asked: PageAsked): Promise<Page<Buffer>>;
  /** Removes exactly this version of a record that was found damaged. */
  dropDamaged(key: string, version: number): Promise<boolean>;
  deletePrefix(prefix: string): Promise<number>;
  clear(): Promise<void>;
  /** See Store. */
  purge(order: PurgeOrder): Promise<number>;
  purgeReport(version: number): Promise<PurgeReport | undefined>;
  explain(key: string): Promise<Explanation>;
  count(): Promise<number>;
  checkWritable(): Promise<void>;
  close(): Promise<void>;
  open(): Promise<void>;
  /** The id of a new segment that only this worker may write, up to `bytes`. */
  grantSegment(bytes: number): Promise<number>;
  /** Resolves when the segment may be written up to `bytes`. */
  extendSegment(segment: number, bytes: number): Promise<void>;
  /** Nothing more will be committed from this segment, whose file has `fileBytes`. */
  sealSegment(segment: number, fileBytes: number): void;
}
