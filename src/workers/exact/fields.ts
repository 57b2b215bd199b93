/** Single members of a body, each checked against what it may be. All throw MEMBER_INVALID. */
import { integerOf } from '../../protocol/counter.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import { checkTags } from '../http/cache-tags.ts';
import { type Exact, type Members, TWICE } from './values.ts';

/** RFC 9111 section 1.2.2: as good as for ever. */
const TTL_SECONDS_MAX = 2 ** 31;
/** Of what a client sent, this much is said again. */
const NAME_SHOWN_LENGTH_MAX = 40;

export function memberInvalid(detail: string): BigCacheError {
  return new BigCacheError('MEMBER_INVALID', detail);
}

/** A member that is not known is refused: a `ttll` must not make an entry live for ever. */
export function requireKnown(members: Members, known: readonly string[]): void {
  for (const [name, value] of members) {
    const shown = JSON.stringify(name.slice(0, NAME_SHOWN_LENGTH_MAX));
    if (value === TWICE) throw memberInvalid(`The member ${shown} comes twice.`);
    if (known.includes(name)) continue;
    throw memberInvalid(`There is no member ${shown} here, only ${known.join(', ')}.`);
  }
}

/** `ttl` in milliseconds; 0 for ever, which is also what null says. Undefined where it is left out. */
export function ttlMsOf(members: Members): number | undefined {
  const ttl = members.get('ttl');
  if (ttl === undefined) return undefined;
  if (ttl === null) return 0;
  if (typeof ttl !== 'bigint' || ttl < 1n || ttl > TTL_SECONDS_MAX) {
    throw memberInvalid(`"ttl" is a whole number of seconds up to ${TTL_SECONDS_MAX}, or null.`);
  }
  return Number(ttl) * 1000;
}

/** An integer of 64 bits with a sign; `absent` where it is left out. */
export function int64Of(members: Members, name: string, absent: bigint): bigint {
  const value = members.get(name);
  if (value === undefined) return absent;
  const integer = typeof value === 'bigint' ? integerOf(String(value)) : undefined;
  if (integer === undefined) throw memberInvalid(`"${name}" is an integer of 64 bits.`);
  return integer;
}

/** A text; undefined where it is left out. */
export function textOf(members: Members, name: string): string | undefined {
  const value = members.get(name);
  if (value === undefined || typeof value === 'string') return value;
  throw memberInvalid(`"${name}" is a text.`);
}

/** Tags, as `Cache-Tag` has them; none where they are left out. */
export function tagsOf(members: Members): readonly string[] {
  const value = members.get('tags');
  if (value === undefined) return [];
  if (!isTexts(value)) throw memberInvalid('"tags" is an array of texts.');
  try {
    return checkTags(value);
  } catch (error) {
    if (!(error instanceof BigCacheError)) throw error;
    throw memberInvalid(error.message);
  }
}

function isTexts(value: Exact): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The body of an entry: `body`, text or bytes, or `bodyBase64`. Exactly one of them. */
export function bodyOf(members: Members): Buffer {
  const body = members.get('body');
  const encoded = members.get('bodyBase64');
  if ((body === undefined) === (encoded === undefined)) {
    throw memberInvalid('A put has either "body" or "bodyBase64".');
  }
  if (Buffer.isBuffer(body)) return body;
  if (body !== undefined) {
    // Half a character would be stored as another one.
    if (typeof body === 'string' && !/\p{Surrogate}/u.test(body)) return Buffer.from(body);
    throw memberInvalid('"body" is a text; in msgpack it may be bytes.');
  }
  const bytes = typeof encoded === 'string' ? fromBase64(encoded) : undefined;
  if (bytes !== undefined) return bytes;
  throw memberInvalid('"bodyBase64" is a text in base64 with its padding.');
}

/** Node leaves out what is no base64, and stops at the first padding: then bytes are missing. */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding
    ? bytes
    : undefined;
}
