/**
 * Single fields behind the head of a record, read without unpacking the others: its tags, and what it
 * cost to make. The primary judges purges by tag with it, for every lookup while one is pending.
 */
import { RECORD_HEAD_BYTES } from './record.ts';

const NO_TAGS: readonly string[] = [];
/** Places in the array; see docs/storage-format.md. */
const FIELDS_BEFORE_TAGS = 5;
const FIELDS_MIN = 9;
/** What no place in a record can be. */
const NOWHERE = -1;

/** Bytes of the numbers of msgpack, by their first byte. */
const NUMBER_BYTES: Readonly<Record<number, number>> = {
  202: 5,
  203: 9,
  204: 2,
  205: 3,
  206: 5,
  207: 9,
  208: 2,
  209: 3,
  210: 5,
  211: 9,
};

/** The tags of a record; none where they cannot be read, which whoever decodes it finds out. */
export function tagsOf(encoded: Buffer): readonly string[] {
  let at = tagsAt(encoded);
  let left = at === NOWHERE ? 0 : arrayLength(encoded, at);
  if (left <= 0) return NO_TAGS;
  at = itemsAt(encoded, at);
  const tags: string[] = [];
  for (; left > 0; left--) {
    const end = skip(encoded, at);
    if (end === NOWHERE || !isText(encoded[at])) return NO_TAGS;
    tags.push(encoded.toString('utf8', textAt(encoded, at), end));
    at = end;
  }
  return tags;
}

/**
 * Whether a tag of the record has one of these hashes, of `hashTag`. It makes no texts, which would cost
 * ten times as much; what it says yes to may have another tag of the same hash.
 */
export function hasTagHash(encoded: Buffer, hashes: { has(hash: number): boolean }): boolean {
  let at = tagsAt(encoded);
  let left = at === NOWHERE ? 0 : arrayLength(encoded, at);
  if (left <= 0) return false;
  at = itemsAt(encoded, at);
  for (; left > 0; left--) {
    const end = skip(encoded, at);
    if (end === NOWHERE || !isText(encoded[at])) return false;
    if (hashes.has(hashBytes(encoded, textAt(encoded, at), end))) return true;
    at = end;
  }
  return false;
}

/** The hash of a tag, 32 bits unsigned. It is nowhere stored. */
export function hashTag(tag: string): number {
  const bytes = Buffer.from(tag);
  return hashBytes(bytes, 0, bytes.length);
}

/** FNV-1a. */
function hashBytes(bytes: Buffer, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash >>> 0;
}

/** What the body cost to make, in milliseconds; 0 where that cannot be read. */
export function costMsOf(encoded: Buffer): number {
  let at = tagsAt(encoded);
  if (at === NOWHERE) return 0;
  let left = arrayLength(encoded, at);
  at = itemsAt(encoded, at);
  for (; left > 0 && at !== NOWHERE; left--) at = skip(encoded, at);
  return at === NOWHERE ? 0 : countAt(encoded, at);
}

/** Where the array of tags begins. */
function tagsAt(encoded: Buffer): number {
  const head = encoded[RECORD_HEAD_BYTES] ?? 0;
  if (head < 0x90 + FIELDS_MIN || head > 0x9f) return NOWHERE;
  let at = RECORD_HEAD_BYTES + 1;
  for (let field = 0; field < FIELDS_BEFORE_TAGS && at !== NOWHERE; field++) at = skip(encoded, at);
  return at;
}

/** How many items the array has that begins here; negative for what is no array. */
function arrayLength(bytes: Buffer, at: number): number {
  const head = bytes[at] ?? 0;
  if (head >= 0x90 && head <= 0x9f) return head & 0x0f;
  return head === 0xdc && at + 3 <= bytes.length ? bytes.readUInt16BE(at + 1) : -1;
}

function itemsAt(bytes: Buffer, at: number): number {
  return bytes[at] === 0xdc ? at + 3 : at + 1;
}

function isText(head: number | undefined): boolean {
  return head !== undefined && ((head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb));
}

function textAt(bytes: Buffer, at: number): number {
  const head = bytes[at] ?? 0;
  if (head <= 0xbf) return at + 1;
  return at + (head === 0xd9 ? 2 : head === 0xda ? 3 : 5);
}

/** The end of the value that begins here: a number, text, bytes, nil or a boolean. */
function skip(bytes: Buffer, at: number): number {
  const head = bytes[at];
  if (head === undefined) return NOWHERE;
  const end = at + lengthAt(bytes, at, head);
  return end > at && end <= bytes.length ? end : NOWHERE;
}

/** 0 for what is none of these, or ends so soon that it cannot be one. */
function lengthAt(bytes: Buffer, at: number, head: number): number {
  if (head < 0x80 || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) return 1;
  if (head >= 0xa0 && head <= 0xbf) return 1 + (head & 0x1f);
  if (head === 0xc4 || head === 0xd9) return 2 + (bytes[at + 1] ?? 0);
  const numberBytes = NUMBER_BYTES[head];
  if (numberBytes !== undefined) return numberBytes;
  if (at + 5 > bytes.length) return 0;
  if (head === 0xc5 || head === 0xda) return 3 + bytes.readUInt16BE(at + 1);
  if (head === 0xc6 || head === 0xdb) return 5 + bytes.readUInt32BE(at + 1);
  return 0;
}

function countAt(bytes: Buffer, at: number): number {
  const head = bytes[at] ?? 0;
  if (head < 0x80) return head;
  if (skip(bytes, at) === NOWHERE) return 0;
  if (head === 0xcc) return bytes[at + 1] ?? 0;
  if (head === 0xcd) return bytes.readUInt16BE(at + 1);
  if (head === 0xce) return bytes.readUInt32BE(at + 1);
  if (head === 0xcf) return Number(bytes.readBigUInt64BE(at + 1));
  const number = head === 0xcb ? bytes.readDoubleBE(at + 1) : 0;
  // Of an intact record it is a count.
  return number >= 0 ? number : 0;
}
