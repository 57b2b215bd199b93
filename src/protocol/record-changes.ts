/**
 * Records that the primary makes of others: with another lifetime, and those of counters, whose body is in
 * the record.
 */
import { type EntryRecord, encodeRecord, IN_RECORD, Kind } from './record.ts';

const EMPTY = Buffer.alloc(0);

/**
 * The record with a lifetime that ends `ttlMs` from now; 0 is for ever. Its windows keep their lengths,
 * `expire` says the new end, and `duration` nothing: what was sent is not so any more.
 */
export function withLifetime(record: EntryRecord, ttlMs: number, nowMs: number): EntryRecord {
  const expiresAtMs = ttlMs === 0 ? 0 : nowMs + ttlMs;
  const window = (untilMs: number): number => {
    const lengthMs = untilMs - record.expiresAtMs;
    // For ever fresh is never stale, and an entry that never expired has no windows.
    if (expiresAtMs === 0 || record.expiresAtMs === 0 || lengthMs <= 0) return 0;
    return Math.min(expiresAtMs + lengthMs, Number.MAX_SAFE_INTEGER);
  };
  return {
    ...record,
    expiresAtMs,
    staleWhileRevalidateUntilMs: window(record.staleWhileRevalidateUntilMs),
    staleIfErrorUntilMs: window(record.staleIfErrorUntilMs),
    expire: expiresAtMs === 0 ? null : expiresAtMs / 1000,
    duration: null,
  };
}

/** What a counter holds, and when it came to that. */
export interface CounterBody {
  readonly digits: Buffer;
  /** The hash of the digits; see segments/content-hash.ts. */
  readonly etag: Buffer;
  readonly nowMs: number;
}

/** A new counter, which is a JSON entry. */
export function newCounterRecord(key: Buffer, body: CounterBody, ttlMs: number): Buffer {
  const bare: EntryRecord = {
    kind: Kind.json,
    version: 0,
    storedAtMs: body.nowMs,
    expiresAtMs: 0,
    staleWhileRevalidateUntilMs: 0,
    staleIfErrorUntilMs: 0,
    pointer: { segment: IN_RECORD, offset: 0 },
    plainBytes: 0,
    storedBytes: 0,
    checksums: EMPTY,
    etag: null,
    contentType: null,
    contentEncoding: null,
    tags: [],
    costMs: 0,
    expire: null,
    duration: null,
  };
  return counterRecord(key, withLifetime(bare, ttlMs, body.nowMs), body);
}

/** The record of an entry whose body is an integer, after it became another one: all else stays. */
export function counterRecord(
  key: Buffer,
  before: EntryRecord,
  { digits, etag, nowMs }: CounterBody,
): Buffer {
  return encodeRecord(key, {
    ...before,
    storedAtMs: nowMs,
    pointer: { segment: IN_RECORD, offset: 0 },
    plainBytes: digits.length,
    storedBytes: digits.length,
    checksums: EMPTY,
    etag,
    contentEncoding: null,
    inlineBody: digits,
  });
}
