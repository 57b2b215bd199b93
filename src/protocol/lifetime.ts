/**
 * How long an entry of the original's face lives: its `expire`, its `duration`, and what they come to.
 * Used by workers, their inspection threads, and the import.
 */
import { BigCacheError } from './errors.ts';

/** The latest time that a Date holds (ECMA-262, 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;
/** What the client sends is stored as it is, and a record has room for little. */
export const DURATION_LENGTH_MAX = 64;
const DURATION = /^(\d+)([smhd])[A-Za-z]*$/;
const NUMBER_TEXT = /^[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?$/;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400 };

/** When an entry ends, said twice: for its record, and for the answer. */
export interface Lifetime {
  /** Unix milliseconds; 0 for never. */
  readonly expiresAtMs: number;
  /** Unix seconds with a fraction; null for never. */
  readonly expire: number | null;
}

/**
 * The Unix time in seconds that a member `expire` gives: a number, or a number as text; null for none.
 * A time that has passed, before 1970 too, is a time: the entry has then expired.
 *
 * Throws BigCacheError EXPIRE_INVALID.
 */
export function parseExpire(member: unknown): number | null {
  if (member === null) return null;
  const isNumberText = typeof member === 'string' && NUMBER_TEXT.test(member);
  const expire = isNumberText ? Number(member) : member;
  if (typeof expire !== 'number' || !Number.isFinite(expire)) {
    throw new BigCacheError('EXPIRE_INVALID');
  }
  return expire;
}

/**
 * The seconds that a member `duration` gives; null for none. The first letter is the unit and the rest
 * is ignored: the original's client sends `28ds` for `28d` and `7dayss` for `7days`. At most 64
 * characters.
 *
 * Throws BigCacheError DURATION_INVALID.
 */
export function parseDuration(member: unknown): number | null {
  if (member === null) return null;
  const isText = typeof member === 'string' && member.length <= DURATION_LENGTH_MAX;
  const match = isText ? DURATION.exec(member) : null;
  const seconds =
    match === null ? Number.NaN : Number(match[1]) * (UNIT_SECONDS[match[2] ?? ''] ?? 0);
  // Compared against the whole range, so that now + duration is a time too.
  if (!(seconds * 1000 <= TIME_MS_MAX - 4e12)) throw new BigCacheError('DURATION_INVALID');
  return seconds;
}

/** The lifetime that ends `seconds` from now. */
export function lifetimeFromSeconds(seconds: number, nowMs: number): Lifetime {
  const expiresAtMs = nowMs + seconds * 1000;
  return { expiresAtMs, expire: expiresAtMs / 1000 };
}

/**
 * The lifetime that ends at `expire`. A time before 1970 has passed as surely as one millisecond after
 * it has, and 0 would mean never; a time past all dates is as good as the last safe integer.
 */
export function lifetimeFromExpire(expire: number | null): Lifetime {
  if (expire === null) return { expiresAtMs: 0, expire: null };
  const atMs = Math.floor(expire * 1000);
  return { expiresAtMs: Math.min(Math.max(atMs, 1), Number.MAX_SAFE_INTEGER), expire };
}
