/**
 * If-Match and If-None-Match of requests that change an entry (RFC 9110 section 13.1): what must hold
 * when the change takes effect.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { BigCacheError } from '../../../protocol/errors.ts';
import {
  matchesStrongly,
  matchesWeakly,
  parseTagCondition,
  type TagCondition,
} from '../../http/entity-tags.ts';
import type { Precondition } from '../../store/store.ts';
import { tagsOf } from './representation.ts';

/** Undefined where nothing is asked. Throws REQUEST_INVALID for a field that is no list of tags. */
export function preconditionOf(headers: IncomingHttpHeaders): Precondition | undefined {
  const match = conditionOf('If-Match', headers['if-match']);
  const noneMatch = conditionOf('If-None-Match', headers['if-none-match']);
  if (match === undefined && noneMatch === undefined) return undefined;
  return (record) => {
    const tags = record === undefined ? undefined : tagsOf(record);
    if (match !== undefined && (tags === undefined || !matchesStrongly(match, tags))) return false;
    return noneMatch === undefined || tags === undefined || !matchesWeakly(noneMatch, tags);
  };
}

/** A change goes ahead or not by what it says, so what cannot be read is refused. */
function conditionOf(name: string, field: string | undefined): TagCondition | undefined {
  if (field === undefined) return undefined;
  const condition = parseTagCondition(field);
  if (condition !== undefined) return condition;
  throw new BigCacheError('REQUEST_INVALID', `${name} is * or a list of entity tags.`);
}
