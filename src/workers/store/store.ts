/**
 * The store as an HTTP worker sees it: the one interface behind which another engine can stand.
 * test/workers/store/store-contract.ts describes it and runs against every implementation.
 *
 * A miss is a value. Operating errors are BigCacheErrors: STORE_CLOSED, STORE_UNAVAILABLE,
 * STORE_FAILED, OVERLOADED, DEADLINE_EXCEEDED, DISK_FULL, PURGES_PENDING, SHUTTING_DOWN.
 */
import type { CounterOrder } from '../../protocol/counter.ts';
import type { Explanation } from '../../protocol/explanation.ts';
import type { Page, PageAsked } from '../../protocol/listing.ts';
import type { MissReason } from '../../protocol/miss.ts';
import type { PurgeOrder, PurgeReport } from '../../protocol/purge.ts';
import type { EntryMeta, EntryRecord } from '../../protocol/record.ts';
import type { ByteRange } from '../../segments/body-reader.ts';

export interface Miss {
  readonly found: false;
  readonly reason: MissReason;
}

/** A body together with what was asked to stand before and after it. */
export interface Content {
  /** Bytes of prologue, body and epilogue together. */
  readonly byteLength: number;
  /** All of it, verified, when it fits one slab; undefined when it must be streamed. */
  readonly whole: Buffer | undefined;
  /**
   * All of it in verified pieces; each is valid until the next is asked for. Throws when the body
   * turns out damaged: the answer must then be cut off, never finished.
   */
  chunks(): AsyncIterable<Buffer>;
  /** Gives the slab and the descriptor back. Every Content is released; a second call does nothing. */
  release(): void;
}

export interface Hit {
  readonly found: true;
  readonly record: EntryRecord;
  readonly content: Content;
}

/** What of a body is wanted in an answer and what surrounds it, made from the body's record. */
export interface Framing {
  readonly prologue: Buffer;
  readonly epilogue: Buffer;
  /** Only these bytes of the body, all of which exist; the whole where it is left out. */
  readonly range?: ByteRange;
  /**
   * Whether the content is wanted in the record's contentEncoding, as a whole with what surrounds it; a
   * range is then one of the encoded body. It is plain otherwise, and where the record names none.
   */
  readonly encoded?: boolean;
}

/** Nothing of the body: it is not even opened. */
export const NO_BODY = 'no-body';

export interface Reading {
  /**
   * What is to be done with the body; called again when the entry was moved meanwhile. It may throw,
   * which refuses the read.
   */
  frame?(record: EntryRecord): Framing | typeof NO_BODY;
  /** The window in which a stale entry is shown; it is a miss, `expired`, otherwise. */
  readonly stale?: 'while-revalidate' | 'if-error';
}

/**
 * What must hold when a write or a removal takes effect: of the entry's record, or of undefined where
 * there is no entry that could be shown, stale perhaps.
 */
export type Precondition = (record: EntryRecord | undefined) => boolean;

/**
 * A body on its way in: bytes that are already here, or pieces that are still arriving. An iterable
 * that throws aborts the write, and its error reaches the caller of `put`.
 */
export type BodySource = Buffer | AsyncIterable<Buffer>;

export interface Stored {
  readonly version: number;
  /** Whether no valid entry was there before. */
  readonly created: boolean;
  readonly plainBytes: number;
  /** The hash of the content, of which its entity tag is made. */
  readonly contentHash: Buffer;
}

/** What a read with a lease asks for. */
export interface LeaseRequest {
  readonly leaseMs: number;
  /** How long it may wait where somebody else holds the lease; 0 for not at all. */
  readonly waitMs: number;
  /** Told once it waits, with what ends that at once. */
  onWait?(leave: () => void): void;
}

/** What a read with a lease found. */
export interface LeasedRead {
  readonly found: Hit | Miss;
  /** For who has got the lease: the write that it allows is told by this. */
  readonly token: string | undefined;
  /** For a miss without a token: when the lease ends that somebody else holds. */
  readonly retryAfterMs: number;
}

export interface Store {
  /**
   * Looks `key` up and reads its body.
   */
  get(key: string, reading?: Reading): Hit | Miss | Promise<Hit | Miss>;
  /**
   * `get` for many callers of whom one is to make what is missing. On a miss the first is given the lease;
   * the others wait, as far as they may, until the entry is there, or until they are given the lease since
   * it has ended, was released or lost. Of a stale entry that is shown, one caller gets the lease with it.
   */
  getLeased(key: string, reading: Reading, request: LeaseRequest): Promise<LeasedRead>;
  /** Gives a lease up; who waits longest gets it then. False where this token does not hold it. */
  releaseLease(key: string, token: string): Promise<boolean>;
  /** The record alone, of a stale entry too. */
  find(key: string): Promise<EntryRecord | Miss>;
  /**
   * Stores an entry. When this resolves, every reader sees it, and it survives `kill -9`. Rejects with
   * PRECONDITION_FAILED, perhaps before the body is read. With a lease token it rejects with LEASE_LOST,
   * perhaps before too, where the key was written, deleted or purged since the token was given; never since
   * time ran out.
   */
  put(
    key: string,
    meta: EntryMeta,
    body: BodySource,
    only?: Precondition,
    leaseToken?: string,
  ): Promise<Stored>;
  /**
   * Removes one entry; false when there was none that could be shown, stale perhaps. Rejects with
   * PRECONDITION_FAILED, also where there is none.
   */
  delete(key: string, only?: Precondition): Promise<boolean>;
  /**
   * Gives a fresh entry a lifetime of `ttlMs` from now, 0 for ever; false where there is none, or a
   * stale one. Its windows keep their lengths, its content and its version stay, and so does who
   * holds a lease.
   */
  touch(key: string, ttlMs: number): Promise<boolean>;
  /**
   * Adds to a counter and resolves with its new value; makes it where there is no fresh entry. An entry whose
   * body is an integer, as JSON writes it, is counted on with, and keeps its lifetime, kind and tags. Rejects
   * with NOT_AN_INTEGER and COUNTER_OVERFLOW.
   */
  increment(key: string, order: CounterOrder): Promise<bigint>;
  /**
   * A page of entries in the order of the bytes of their keys, stale ones included. It may have fewer than
   * were asked for, or none, and not be the last.
   */
  list(asked: PageAsked): Promise<Page<EntryRecord>>;
  /**
   * Removes every entry whose key begins with `prefix`, at once for all readers. Resolves with the
   * number of entries that could be read before, once they are counted.
   */
  deletePrefix(prefix: string): Promise<number>;
  /** Removes every entry, at once for all readers. */
  clear(): Promise<void>;
  /**
   * Begins a purge, which takes every entry that was stored before, or a dry run. Resolves with the
   * version that names it, when it is in effect for all readers. What a soft purge takes is stale from
   * then on, for as long as it would have lived and within its windows.
   */
  purge(order: PurgeOrder): Promise<number>;
  /** What became of it so far; undefined where there is none, or its report is kept no longer. */
  purgeReport(version: number): Promise<PurgeReport | undefined>;
  /** Why `key` hits or misses. */
  explain(key: string): Promise<Explanation>;
  /** Entries in the store, those included that are expired but not yet swept. */
  count(): Promise<number>;
  /** Resolves when writes are taken; rejects with what they would be refused with. */
  checkWritable(): Promise<void>;
  /** Closes the store's files until `open`; meanwhile everything else rejects with STORE_CLOSED. */
  close(): Promise<void>;
  open(): Promise<void>;
}
