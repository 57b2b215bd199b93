/** The query of `GET /v1/keys`, and the cursors that lead from page to page. */
import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { BigCacheError } from '../../../protocol/errors.ts';
import { prefixFromText } from '../../../protocol/key.ts';
import { PAGE_ENTRIES_MAX } from '../../../protocol/listing.ts';

const PAGE_ENTRIES_DEFAULT = 100;
const NAMES = ['prefix', 'cursor', 'limit'];

export interface KeysQuery {
  /** Empty for all keys. */
  readonly prefix: string;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/**
 * What follows the path, with its question mark. `+` is a plus sign, as in keys.
 *
 * Throws BigCacheError: REQUEST_INVALID, PREFIX_EMPTY, KEY_INVALID, KEY_TOO_LONG.
 */
export function keysQueryOf(query: string): KeysQuery {
  const given = new Map<string, string>();
  for (const part of query.slice(1).split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = at === -1 ? part : part.slice(0, at);
    if (!NAMES.includes(name) || given.has(name)) {
      throw invalid('The query has prefix, cursor and limit, each at most once.');
    }
    given.set(name, at === -1 ? '' : decoded(part.slice(at + 1)));
  }
  const prefix = given.get('prefix') ?? '';
  return {
    prefix: prefix === '' ? '' : prefixFromText(prefix),
    cursor: given.get('cursor'),
    limit: limitOf(given.get('limit')),
  };
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw invalid('The query has a broken percent sign.');
  }
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return PAGE_ENTRIES_DEFAULT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= PAGE_ENTRIES_MAX) return limit;
  throw invalid(`limit is a number from 1 to ${PAGE_ENTRIES_MAX}.`);
}

function invalid(detail: string): BigCacheError {
  return new BigCacheError('REQUEST_INVALID', detail);
}

/** The checksum tells cursors of another listing, and cut ones; it keeps nobody from making one. */
const CHECKSUM_BYTES = 4;

/** The cursor behind `key`, in the listing of the keys below `prefix`. */
export function cursorAfter(key: string, prefix: string): string {
  const bytes = Buffer.alloc(CHECKSUM_BYTES);
  bytes.writeUInt32LE(checksumOf(key, prefix));
  return Buffer.concat([bytes, Buffer.from(key)]).toString('base64url');
}

/**
 * The key that the cursor stands behind; empty without one. It begins with `prefix`, which the asker may see,
 * so a cursor of somebody else leads nowhere else. Throws CURSOR_INVALID.
 */
export function keyOfCursor(cursor: string | undefined, prefix: string): string {
  if (cursor === undefined || cursor === '') return '';
  const bytes = Buffer.from(cursor, 'base64url');
  const name = bytes.subarray(CHECKSUM_BYTES);
  const key = name.toString();
  const isGood =
    name.length > 0 &&
    isUtf8(name) &&
    key.startsWith(prefix) &&
    bytes.readUInt32LE() === checksumOf(key, prefix) &&
    bytes.toString('base64url') === cursor;
  if (!isGood) throw new BigCacheError('CURSOR_INVALID');
  return key;
}

function checksumOf(key: string, prefix: string): number {
  return crc32(key, crc32(`${prefix}\n`));
}
