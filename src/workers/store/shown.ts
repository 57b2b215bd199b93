/** What a reader is shown of an entry: whether at all, and in what framing. */
import type { EntryRecord } from '../../protocol/record.ts';
import type { Content, Framing, Reading } from './store.ts';

const EMPTY = Buffer.alloc(0);

/** The body alone. */
export const NO_FRAMING: Framing = { prologue: EMPTY, epilogue: EMPTY };

/** The content of a hit of which no body is wanted. */
export const NOTHING: Content = {
  byteLength: 0,
  whole: EMPTY,
  async *chunks() {},
  release() {},
};

/** Whether a reader who allows this window is shown the record. */
export function isShown(record: EntryRecord, stale: Reading['stale'], nowMs: number): boolean {
  const { expiresAtMs, staleWhileRevalidateUntilMs, staleIfErrorUntilMs } = record;
  if (expiresAtMs === 0 || expiresAtMs > nowMs) return true;
  if (stale === undefined) return false;
  return (
    staleWhileRevalidateUntilMs > nowMs || (stale === 'if-error' && staleIfErrorUntilMs > nowMs)
  );
}
