/**
 * The store as an HTTP worker sees it: the one interface behind which another engine can stand.
 * test/workers/store/store-contract.ts describes it and runs against every implementation.
 *
 * A miss is a value. Operating errors are BigCacheErrors: STORE_CLOSED, STORE_UNAVAILABLE,
 * STORE_FAILED, OVERLOADED, DEADLINE_EXCEEDED, DISK_FULL, PURGES_PENDING, SHUTTING_DOWN.
 */
import type { MissReason } from '../../protocol/miss.ts';
import type { EntryMeta, EntryRecord } from '../../protocol/record.ts';

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

/** What surrounds a body in an answer, made from the record that the body belongs to. */
export interface Framing {
  readonly prologue: Buffer;
  readonly epilogue: Buffer;
}

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
}

export interface Store {
  /**
   * Looks `key` up and reads its body. `frame` says what to put around the body; it may be called
   * again when the entry was moved meanwhile. It may also throw, which refuses the read.
   */
  get(key: string, frame?: (record: EntryRecord) => Framing): Promise<Hit | Miss>;
  /** The record alone. */
  find(key: string): Promise<EntryRecord | Miss>;
  /** Stores an entry. When this resolves, every reader sees it, and it survives `kill -9`. */
  put(key: string, meta: EntryMeta, body: BodySource): Promise<Stored>;
  /** Removes one entry; false when there was none that could be read. */
  delete(key: string): Promise<boolean>;
  /**
   * Removes every entry whose key begins with `prefix`, at once for all readers. Resolves with the
   * number of entries that could be read before, once they are counted.
   */
  deletePrefix(prefix: string): Promise<number>;
  /** Removes every entry, at once for all readers. */
  clear(): Promise<void>;
  /** Entries in the store, those included that are expired but not yet swept. */
  count(): Promise<number>;
  /** Resolves when writes are taken; rejects with what they would be refused with. */
  checkWritable(): Promise<void>;
  /** Closes the store's files until `open`; meanwhile everything else rejects with STORE_CLOSED. */
  close(): Promise<void>;
  open(): Promise<void>;
}
