/**
 * The strict reading of a small JSON object whose members are texts, numbers, booleans or null: a name that
 * comes twice is refused, since readers differ about which of the two counts.
 */
import { isUtf8 } from 'node:buffer';
import { BigCacheError } from '../../protocol/errors.ts';

export type Scalar = string | number | boolean | null;

/**
 * One member and what follows it. JSON.parse has found the whole to be valid JSON, so this only has to
 * find where a flat member ends.
 */
const MEMBER = /\s*("(?:[^"\\]|\\.)*")\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,{}[\]"]+)\s*(,|\}\s*$)/y;

/**
 * The members of the object that `body` consists of, by name.
 *
 * Throws BigCacheError BODY_INVALID: no UTF-8, no JSON, no object, nested values, a name twice.
 */
export function flatObject(body: Buffer): ReadonlyMap<string, Scalar> {
  const text = body.toString();
  if (!isUtf8(body) || !isObject(text)) throw invalid('The body is not a JSON object.');
  const members = new Map<string, Scalar>();
  MEMBER.lastIndex = text.indexOf('{') + 1;
  if (/^\s*\{\s*\}\s*$/.test(text)) return members;
  for (;;) {
    const [, name, value, end] = MEMBER.exec(text) ?? [];
    if (name === undefined || value === undefined) throw invalid('The body has nested values.');
    const key = JSON.parse(name) as string;
    if (members.has(key)) throw invalid('The body has a member twice.');
    members.set(key, JSON.parse(value) as Scalar);
    if (end !== ',') return members;
  }
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function invalid(detail: string): BigCacheError {
  return new BigCacheError('BODY_INVALID', detail);
}
