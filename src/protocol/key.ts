/**
 * The canonical key: the one form in which an entry's name is stored, compared and sent over the
 * channel, and how it is made from a request target. Both processes use it.
 *
 * A key is `path` or `path?query`. The path is percent-decoded once and loses the slashes at both ends;
 * the query stays as it was sent, except that triplets are written in upper case and whatever cannot
 * stand in a query (RFC 3986 section 3.4) as triplets. So `?q=c%2B%2B` and `?q=c++` are two keys.
 */
import { BigCacheError } from './errors.ts';

/** The longest key or prefix, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 8192;

/** What a key is wanted for: dot segments are refused only where an entry would be made or removed. */
export type KeyUse = 'read' | 'write';

/** A target that is its own path: no triplet, no query, nothing that has no place in a target. */
const PLAIN_TARGET = /^[!"$&->@-~]*$/;
/** What no target may hold raw: controls, space, `#`, DEL and whatever is not ASCII. */
const FOREIGN_IN_TARGET = /[^!-~]|#/;
const BROKEN_TRIPLET = /%(?![0-9A-Fa-f]{2})/;
const TRIPLET = /%([0-9A-Fa-f]{2})/g;
const ENCODED_QUESTION_MARK = /%3f/i;
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/;
/** Control characters, and lone surrogates, which UTF-8 cannot hold. */
const FORBIDDEN_IN_PATH = /[\p{Cc}\p{Cs}]/u;
const QUERY = /^[!"$-~]+$/;

interface KeyParts {
  readonly path: string;
  /** Without its question mark; undefined where there is none. */
  readonly query: string | undefined;
}

function trimSlashes(path: string): string {
  let start = 0;
  let end = path.length;
  while (start < end && path[start] === '/') start += 1;
  while (end > start && path[end - 1] === '/') end -= 1;
  return start === 0 && end === path.length ? path : path.slice(start, end);
}

function trimLeadingSlashes(path: string): string {
  let start = 0;
  while (path[start] === '/') start += 1;
  return start === 0 ? path : path.slice(start);
}

function normaliseQuery(query: string): string {
  return query.includes('%') ? query.replace(TRIPLET, (triplet) => triplet.toUpperCase()) : query;
}

/** Decodes what a query may show as it is; `#`, spaces, controls and bytes above ASCII stay triplets. */
function decodeIntoQuery(encoded: string): string {
  return encoded.replace(TRIPLET, (triplet, hex: string) => {
    const byte = Number.parseInt(hex, 16);
    return byte > 0x20 && byte < 0x7f && byte !== 0x23 ? String.fromCharCode(byte) : triplet;
  });
}

function decodePath(encoded: string): string {
  if (!encoded.includes('%')) return encoded;
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    throw new BigCacheError('KEY_INVALID');
  }
  if (FORBIDDEN_IN_PATH.test(path)) throw new BigCacheError('KEY_INVALID');
  return path;
}

/** Splits a raw target at the first question mark of its decoded path, and decodes the left side. */
function splitTarget(target: string): KeyParts {
  if (FOREIGN_IN_TARGET.test(target)) throw new BigCacheError('TARGET_INVALID');
  const mark = target.indexOf('?');
  const rawPath = mark === -1 ? target : target.slice(0, mark);
  const rawQuery = mark === -1 ? undefined : target.slice(mark + 1);
  if (BROKEN_TRIPLET.test(rawPath)) throw new BigCacheError('KEY_INVALID');
  const encodedMark = ENCODED_QUESTION_MARK.exec(rawPath);
  if (encodedMark === null) {
    const query = rawQuery === undefined ? undefined : normaliseQuery(rawQuery);
    return { path: decodePath(rawPath), query };
  }
  const decoded = decodeIntoQuery(rawPath.slice(encodedMark.index + 3));
  const query = rawQuery === undefined || rawQuery === '' ? decoded : `${decoded}?${rawQuery}`;
  return { path: decodePath(rawPath.slice(0, encodedMark.index)), query: normaliseQuery(query) };
}

/**
 * Whether canonical keys can begin with `prefix`: `a/`, `list?page=`. Dot segments are not judged.
 */
export function isCanonicalPrefix(prefix: string): boolean {
  if (prefix === '' || isTooLong(prefix)) return false;
  const mark = prefix.indexOf('?');
  const path = mark === -1 ? prefix : prefix.slice(0, mark);
  if (path.startsWith('/') || FORBIDDEN_IN_PATH.test(path)) return false;
  if (mark === -1) return true;
  const query = prefix.slice(mark + 1);
  return (
    !path.endsWith('/') && (query === '' || QUERY.test(query)) && query === normaliseQuery(query)
  );
}

function isTooLong(text: string): boolean {
  // Three bytes of UTF-8 are the most that one UTF-16 unit needs.
  return text.length * 3 > KEY_BYTES_MAX && Buffer.byteLength(text) > KEY_BYTES_MAX;
}

function hasDotSegment(path: string): boolean {
  return path.includes('.') && DOT_SEGMENT.test(path);
}

/**
 * The key that a request target names. `target` is what follows the mount, as it was received:
 * `a%2Fb?page=1` of `/cache/a%2Fb?page=1`.
 *
 * Throws BigCacheError: TARGET_INVALID, KEY_EMPTY, KEY_INVALID, KEY_TOO_LONG.
 */
export function keyFromTarget(target: string, use: KeyUse): string {
  let path = target;
  let key: string;
  if (PLAIN_TARGET.test(target)) {
    path = trimSlashes(target);
    key = path;
  } else {
    const parts = splitTarget(target);
    path = trimSlashes(parts.path);
    key = parts.query === undefined || parts.query === '' ? path : `${path}?${parts.query}`;
  }
  if (key === '') throw new BigCacheError('KEY_EMPTY');
  if (isTooLong(key)) throw new BigCacheError('KEY_TOO_LONG');
  if (use === 'write' && hasDotSegment(path)) throw new BigCacheError('KEY_INVALID');
  return key;
}

/**
 * The prefix that a request target names. It loses leading slashes only: `a/` never matches `ab`. A
 * question mark at its end stays, since dropping it would match more than was asked for.
 *
 * Throws BigCacheError: TARGET_INVALID, PREFIX_EMPTY, KEY_INVALID, KEY_TOO_LONG.
 */
export function prefixFromTarget(target: string): string {
  const { path, query } = splitTarget(target);
  const prefix = query === undefined ? trimLeadingSlashes(path) : `${trimSlashes(path)}?${query}`;
  if (prefix === '') throw new BigCacheError('PREFIX_EMPTY');
  if (isTooLong(prefix))
    throw new BigCacheError('KEY_TOO_LONG', 'A prefix has at most 8192 bytes.');
  return prefix;
}

/**
 * The prefix that a JSON body names in its final form; it loses leading slashes as one in a target does.
 *
 * Throws BigCacheError: PREFIX_EMPTY, KEY_INVALID, KEY_TOO_LONG.
 */
export function prefixFromText(text: string): string {
  const prefix = trimLeadingSlashes(text);
  if (prefix === '') throw new BigCacheError('PREFIX_EMPTY');
  if (isTooLong(prefix))
    throw new BigCacheError('KEY_TOO_LONG', 'A prefix has at most 8192 bytes.');
  if (FORBIDDEN_IN_PATH.test(prefix)) throw new BigCacheError('KEY_INVALID');
  return prefix;
}

/**
 * The key that a body names in its final form: nothing is decoded or taken off.
 *
 * Throws BigCacheError: KEY_EMPTY, KEY_TOO_LONG, KEY_INVALID.
 */
export function keyFromText(text: string, use: KeyUse): string {
  if (text === '') throw new BigCacheError('KEY_EMPTY');
  if (isTooLong(text)) throw new BigCacheError('KEY_TOO_LONG');
  const [path = ''] = text.split('?', 1);
  if (!isCanonicalKey(text) || (use === 'write' && hasDotSegment(path))) {
    throw new BigCacheError(
      'KEY_INVALID',
      'The key is not in its final form, or has dot segments.',
    );
  }
  return text;
}

/**
 * Whether `key` has the form that `keyFromTarget` gives a key that is read. Dot segments are not
 * judged here: such a key can be asked for, and is a miss.
 */
export function isCanonicalKey(key: string): boolean {
  if (key === '' || isTooLong(key)) return false;
  const mark = key.indexOf('?');
  const path = mark === -1 ? key : key.slice(0, mark);
  if (path.startsWith('/') || path.endsWith('/') || FORBIDDEN_IN_PATH.test(path)) return false;
  if (mark === -1) return true;
  const query = key.slice(mark + 1);
  return QUERY.test(query) && query === normaliseQuery(query);
}
