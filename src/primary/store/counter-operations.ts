/**
 * The changes of the write lane that need no body: another lifetime, and counters, whose value is in the
 * record itself. operations.ts has the others.
 */
import {
  type CounterOrder,
  type Incremented,
  integerOf,
  isInRange,
  type SeenInteger,
} from '../../protocol/counter.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import { decodeRecord, type EntryRecord, encodeRecord } from '../../protocol/record.ts';
import { counterRecord, newCounterRecord, withLifetime } from '../../protocol/record-changes.ts';
import { contentHashOf } from '../../segments/content-hash.ts';
import type { Transaction } from './transaction.ts';
import type { LaneOperation } from './write-lane.ts';

/** Knows the segments whose files are gone. */
export interface Losses {
  readonly lost: ReadonlyMap<number, unknown>;
}

/**
 * Gives a fresh entry a lifetime of `ttlMs` from now, 0 for ever; false where there is none. What is stale
 * wants new content: a touch says nothing about that, so it takes back neither an expiry nor a soft purge.
 */
export function touch(key: string, ttlMs: number, losses: Losses): LaneOperation<boolean> {
  return {
    keys: [key],
    apply: (transaction) => {
      const record = freshRecord(transaction, key, losses);
      if (record === undefined) return false;
      const changed = withLifetime(record, ttlMs, transaction.nowMs);
      transaction.retime(key, encodeRecord(Buffer.from(key), changed));
      return true;
    },
  };
}

/** What an increment is judged by beside the entry itself. */
export interface CounterNeeds {
  readonly losses: Losses;
  /**
   * Whether there is room for one more record. Counters lie in the index, where nothing is evicted, so
   * nothing else would bound them.
   */
  readonly hasRoom: boolean;
}

/**
 * Adds to a counter, or makes it where there is no fresh entry. Where the body of the entry is in a segment,
 * nothing is done unless `seen` is what a worker has read there. Refused with NOT_AN_INTEGER and
 * COUNTER_OVERFLOW, and with DISK_FULL where a record more is needed than there is room for.
 */
export function increment(
  key: string,
  order: CounterOrder,
  seen: SeenInteger | undefined,
  { losses, hasRoom }: CounterNeeds,
): LaneOperation<Incremented> {
  return {
    keys: [key],
    apply: (transaction) => {
      if (!hasRoom && transaction.record(key) === undefined) throw new BigCacheError('DISK_FULL');
      const record = freshRecord(transaction, key, losses);
      const standing = record === undefined ? order.initial : integerIn(record, seen);
      if (standing === undefined) return { value: undefined, version: record?.version ?? 0 };
      const value = standing + order.by;
      if (!isInRange(value)) throw new BigCacheError('COUNTER_OVERFLOW');
      const digits = Buffer.from(String(value));
      const body = { digits, etag: contentHashOf(digits), nowMs: transaction.nowMs };
      const keyBytes = Buffer.from(key);
      const changed =
        record === undefined
          ? newCounterRecord(keyBytes, body, order.ttlMs)
          : counterRecord(keyBytes, record, body);
      transaction.write(key, changed);
      return { value };
    },
  };
}

/** The record of an entry that a plain reader is shown now. One that is damaged is a miss. */
function freshRecord(
  transaction: Transaction,
  key: string,
  { lost }: Losses,
): EntryRecord | undefined {
  const encoded = transaction.record(key);
  if (encoded === undefined || !transaction.isFresh(key, encoded)) return undefined;
  const record = decodeRecord(Buffer.from(key), encoded);
  return record === undefined || lost.has(record.pointer.segment) ? undefined : record;
}

/** The integer that the entry is; undefined where its body must be read first. Throws NOT_AN_INTEGER. */
function integerIn(
  { inlineBody, version }: EntryRecord,
  seen: SeenInteger | undefined,
): bigint | undefined {
  if (inlineBody === undefined) return seen?.version === version ? seen.value : undefined;
  const integer = integerOf(inlineBody.toString('latin1'));
  if (integer === undefined) throw new BigCacheError('NOT_AN_INTEGER');
  return integer;
}
