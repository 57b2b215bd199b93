/** The JSON body of `POST /v1/purge`: exactly one selector, and what is to become of what it selects. */
import { BigCacheError } from '../../../protocol/errors.ts';
import { prefixFromText } from '../../../protocol/key.ts';
import type { PurgeOrder, PurgeSelector } from '../../../protocol/purge.ts';
import { checkTags } from '../../http/cache-tags.ts';
import { flatObject, type Scalar } from '../../json/flat-object.ts';

/** Room for a prefix of 8 KiB in which every byte is escaped. */
export const PURGE_BODY_BYTES_MAX = 64 * 1024;

const SELECTORS = ['prefix', 'tag', 'all'] as const;
const OPTIONS = ['soft', 'dryRun'];

/**
 * The order in a body. A member that is not known is refused: `"sofft": true` must not purge for good.
 *
 * Throws BigCacheError: BODY_INVALID, PURGE_INVALID; PREFIX_EMPTY, KEY_INVALID, KEY_TOO_LONG.
 */
export function purgeOrderOf(body: Buffer): PurgeOrder {
  const members = flatObject(body);
  const unknown = [...members.keys()].filter((name) => !isKnown(name));
  if (unknown.length > 0) throw new BigCacheError('PURGE_INVALID');
  const given = SELECTORS.filter((name) => members.has(name));
  const [name] = given;
  if (name === undefined || given.length > 1) {
    const detail = 'A purge has exactly one selector: "prefix", "tag" or "all".';
    throw new BigCacheError('PURGE_INVALID', detail);
  }
  return {
    selector: selectorOf(name, members.get(name)),
    isSoft: flag(members, 'soft'),
    isDryRun: flag(members, 'dryRun'),
  };
}

function isKnown(name: string): boolean {
  return OPTIONS.includes(name) || SELECTORS.some((selector) => selector === name);
}

function selectorOf(name: (typeof SELECTORS)[number], value: Scalar | undefined): PurgeSelector {
  if (name === 'all') {
    if (value !== true) throw new BigCacheError('PURGE_INVALID', '"all" can only be true.');
    return { all: true };
  }
  if (typeof value !== 'string') throw new BigCacheError('PURGE_INVALID');
  return name === 'prefix' ? { prefix: prefixFromText(value) } : { tag: tagOf(value) };
}

/** A tag that no entry can have is a mistake of the caller. */
function tagOf(value: string): string {
  try {
    checkTags([value]);
    return value;
  } catch (error) {
    if (!(error instanceof BigCacheError)) throw error;
    throw new BigCacheError('PURGE_INVALID', error.message);
  }
}

function flag(members: ReadonlyMap<string, Scalar>, name: string): boolean {
  const value = members.get(name) ?? false;
  if (typeof value !== 'boolean' || members.get(name) === null) {
    throw new BigCacheError('PURGE_INVALID', `"${name}" is true or false.`);
  }
  return value;
}
