/**
 * Entity tags (RFC 9110 section 8.8.3). Those of entries are strong: made from a cryptographic hash of
 * the content, and for an encoded form also from the bytes that are sent.
 */
import { blockChecksums, CHECKSUM_BYTES } from '../../segments/checksum.ts';

/** A tag as it is sent, quotes and all; `W/` before it makes it weak. */
export type EntityTag = string;

/** `*`, or the tags that a condition names. */
export type TagCondition = '*' | readonly EntityTag[];

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;
const TAG_AT = /\s*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)|\s*,/y;

/** The tag of the plain form. */
export function plainTag(hash: Uint8Array): EntityTag {
  return `"${Buffer.from(hash).toString('base64url')}"`;
}

/**
 * The tag of the form that is sent as stored: that of the content, and a checksum of the stored bytes,
 * which differs where the same content was encoded in another way.
 */
export function encodedTag(hash: Uint8Array, encoding: string, checksums: Buffer): EntityTag {
  const sum = checksums.length > CHECKSUM_BYTES ? blockChecksums(checksums) : checksums;
  const content = Buffer.from(hash).toString('base64url');
  return `"${content}-${encoding}-${sum.toString('base64url')}"`;
}

/** What If-Match or If-None-Match names; undefined where the field is no list of tags. */
export function parseTagCondition(field: string): TagCondition | undefined {
  const text = field.trim();
  if (text === '*') return '*';
  const tags: EntityTag[] = [];
  TAG_AT.lastIndex = 0;
  while (TAG_AT.lastIndex < text.length) {
    const match = TAG_AT.exec(text);
    if (match === null) return undefined;
    if (match[1] !== undefined) tags.push(match[1]);
  }
  return tags.length === 0 ? undefined : tags;
}

/** Whether the text is one entity tag, as If-Range may hold. */
export function isEntityTag(text: string): boolean {
  return TAG.test(text);
}

/** Strong comparison (RFC 9110 section 8.8.3.2). `ours` are strong. */
export function matchesStrongly(condition: TagCondition, ours: readonly EntityTag[]): boolean {
  return condition === '*' || condition.some((tag) => ours.includes(tag));
}

/** Weak comparison. */
export function matchesWeakly(condition: TagCondition, ours: readonly EntityTag[]): boolean {
  if (condition === '*') return true;
  return condition.some((tag) => ours.includes(tag.startsWith('W/') ? tag.slice(2) : tag));
}
