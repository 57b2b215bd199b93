/**
 * The changes of entries that the write lane knows, one function for each: what it touches, when it is
 * refused, what it does. segment-operations.ts, counter-operations.ts and purges/ have the others.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { isIntact, type Pointer, pointerOf, versionOf } from '../../protocol/record.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import { ABSENT, type CommitCondition } from '../../segments/guarded.ts';
import type { Recounted } from './recounted.ts';
import { mayWrite } from './segment-overlay.ts';
import type { Transaction } from './transaction.ts';
import type { LaneOperation } from './write-lane.ts';

/**
 * Commits a record whose body lies in a segment of `writer`, where `condition` holds. Refused with
 * STORE_FAILED where the segment is not the writer's, with PRECONDITION_FAILED where it does not hold, with
 * LEASE_LOST where the token is none of this key or the key has changed since it was given.
 */
export function commit(
  writer: number,
  key: string,
  record: Buffer,
  condition?: CommitCondition,
  leaseToken?: string,
): LaneOperation<Committed> {
  const { segment } = pointerOf(record);
  return {
    keys: [key],
    segments: [segment],
    apply: (transaction) => {
      if (!mayWrite(transaction.segments.get(segment), writer)) {
        throw new BigCacheError('STORE_FAILED');
      }
      if (leaseToken !== undefined && !transaction.isLeaseGood(key, record, leaseToken)) {
        throw new BigCacheError('LEASE_LOST');
      }
      requireCondition(transaction, key, condition);
      const before = transaction.record(key);
      const created = before === undefined || !transaction.isReadable(key, before);
      return { version: transaction.write(key, record), created };
    },
  };
}

/** An entry in its stale windows is present, one past them is not. */
function requireCondition(
  transaction: Transaction,
  key: string,
  condition: CommitCondition | undefined,
): void {
  if (condition === undefined) return;
  const record = transaction.record(key);
  const isThere = record !== undefined && transaction.isReadable(key, record);
  const holds = condition === ABSENT ? !isThere : isThere && versionOf(record) === condition;
  if (!holds) throw new BigCacheError('PRECONDITION_FAILED');
}

/**
 * Removes an entry, where `condition` holds; false when there was none that a reader would have found.
 * Refused with PRECONDITION_FAILED.
 */
export function remove(key: string, condition?: CommitCondition): LaneOperation<boolean> {
  return {
    keys: [key],
    apply: (transaction) => {
      requireCondition(transaction, key, condition);
      transaction.noteDeleted(key);
      const record = transaction.record(key);
      if (record === undefined || !transaction.isReadable(key, record)) return false;
      transaction.remove(key, 'deleted');
      return true;
    },
  };
}

/** A record that a scan or a reader saw: it is removed only if it is still the same. */
export interface SeenRecord {
  readonly key: string;
  readonly version: number;
}

/**
 * Removes exactly these records, since they are purged, expired or damaged; answers how many were still
 * there.
 */
export function removeSeen(seen: readonly SeenRecord[]): LaneOperation<number> {
  return {
    keys: seen.map(({ key }) => key),
    apply: (transaction) => {
      let removed = 0;
      for (const { key, version } of seen) {
        const record = transaction.record(key);
        if (record === undefined || versionOf(record) !== version) continue;
        transaction.remove(key);
        removed += 1;
      }
      return removed;
    },
  };
}

/** Saves where the hand goes on after a restart. */
export function saveHandPosition(position: Buffer): LaneOperation<void> {
  return { keys: [], apply: (transaction) => transaction.saveHandPosition(position) };
}

/** A record whose body was copied. */
export interface Move extends SeenRecord {
  readonly from: Pointer;
  readonly to: Pointer;
  /** Whether it was copied for its cost alone, without having been read. */
  readonly isSpared: boolean;
}

/**
 * Lets records point to the copies of their bodies, on disk before it is answered: the originals are
 * unlinked after. Answers the moves that were refused, since their record is another by now.
 */
export function move(moves: readonly Move[]): LaneOperation<readonly Move[]> {
  return {
    keys: moves.map(({ key }) => key),
    apply: (transaction) => {
      transaction.requireSync();
      return moves.filter((one) => {
        const record = seenAt(transaction, one);
        if (record === undefined || transaction.isCleared(record)) return true;
        if (!isIntact(Buffer.from(one.key), record)) return true;
        transaction.move(one.key, record, one.to, one.isSpared);
        return false;
      });
    },
  };
}

/** A record that a scan saw, and where its body was then. */
export interface SeenAt extends SeenRecord {
  readonly from: Pointer;
}

/** Evicts exactly these records; answers those that were still there and could be read. */
export function evict(seen: readonly SeenAt[]): LaneOperation<readonly SeenAt[]> {
  return {
    keys: seen.map(({ key }) => key),
    apply: (transaction) => {
      const evicted = seen.filter((one) => {
        const record = seenAt(transaction, one);
        if (record === undefined) return false;
        const wasReadable = transaction.isReadable(one.key, record);
        transaction.remove(one.key, 'evicted');
        return wasReadable;
      });
      transaction.countEvicted(evicted.length);
      return evicted;
    },
  };
}

/** The record, if neither its version nor its place has changed since it was seen. */
function seenAt(transaction: Transaction, { key, version, from }: SeenAt): Buffer | undefined {
  const record = transaction.record(key);
  if (record === undefined || versionOf(record) !== version) return undefined;
  const { segment, offset } = pointerOf(record);
  return segment === from.segment && offset === from.offset ? record : undefined;
}

/** Corrects the counters after damage; on disk before they are trusted. */
export function applyRecount(recounted: Recounted): LaneOperation<void> {
  return {
    keys: [],
    apply: (transaction) => {
      transaction.applyRecount(recounted);
      transaction.requireSync();
    },
  };
}
