/** `Cache-Tag`: names by which entries are purged together. */
import { BigCacheError } from '../../protocol/errors.ts';

export const TAGS_MAX = 32;
/** Of all tags of an entry together, in UTF-8. */
export const TAGS_BYTES_MAX = 1024;

/** What separates tags, control characters, halves of a character, and what stands for bytes that are none. */
const FORBIDDEN = /[\s,\p{Cc}\p{Surrogate}\ufffd]/u;

/** The tags of a field, each once, in the order of their first mention. Throws REQUEST_INVALID. */
export function parseTags(field: string | undefined): readonly string[] {
  if (field === undefined) return [];
  // Node hands fields over byte by byte.
  const text = Buffer.from(field, 'latin1').toString('utf8');
  return checkTags(
    text
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
  );
}

/** The same for tags that come as a list. Throws REQUEST_INVALID. */
export function checkTags(given: readonly string[]): readonly string[] {
  const tags = [...new Set(given)];
  const bytes = tags.reduce((sum, tag) => sum + Buffer.byteLength(tag), 0);
  if (tags.length > TAGS_MAX || bytes > TAGS_BYTES_MAX) {
    throw invalid(`An entry has at most ${TAGS_MAX} tags of ${TAGS_BYTES_MAX} bytes together.`);
  }
  for (const tag of tags) {
    if (tag === '' || FORBIDDEN.test(tag)) {
      throw invalid('A tag is valid UTF-8 without spaces, commas or control characters.');
    }
  }
  return tags;
}

function invalid(detail: string): BigCacheError {
  return new BigCacheError('REQUEST_INVALID', detail);
}
