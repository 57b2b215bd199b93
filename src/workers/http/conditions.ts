/**
 * Conditional requests for one representation, in the order of RFC 9110 section 13.2.2.
 */
import {
  type EntityTag,
  isEntityTag,
  matchesStrongly,
  matchesWeakly,
  parseTagCondition,
} from './entity-tags.ts';

export interface ConditionFields {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
  readonly ifRange: string | undefined;
}

/** What there is: all tags of the current version, and when it was stored. */
export interface Validators {
  readonly tags: readonly EntityTag[];
  readonly storedAtMs: number;
}

/** What a read is answered with: the content, 304, or 412. */
export type Outcome = 'content' | 'not-modified' | 'failed';

/** Judges a GET or HEAD. Fields that cannot be read are passed over, as dates are by RFC 9110. */
export function judgeRead(fields: ConditionFields, current: Validators): Outcome {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = fields;
  if (ifMatch !== undefined) {
    const condition = parseTagCondition(ifMatch);
    // A list of which nothing can be read names none of our tags.
    if (condition === undefined || !matchesStrongly(condition, current.tags)) return 'failed';
  } else if (isAfter(current.storedAtMs, ifUnmodifiedSince)) return 'failed';
  if (ifNoneMatch !== undefined) {
    const condition = parseTagCondition(ifNoneMatch);
    const matches = condition !== undefined && matchesWeakly(condition, current.tags);
    return matches ? 'not-modified' : 'content';
  }
  return ifModifiedSince !== undefined && isAfter(current.storedAtMs, ifModifiedSince) === false
    ? 'not-modified'
    : 'content';
}

/**
 * Whether a Range may be answered: If-Range is absent, or has the tag of the form that is shown. A date
 * is a weak validator here, since two versions may be stored within one second.
 */
export function mayAnswerRange(
  { ifRange }: Pick<ConditionFields, 'ifRange'>,
  shownTag: EntityTag | undefined,
): boolean {
  if (ifRange === undefined) return true;
  const text = ifRange.trim();
  return isEntityTag(text) && text === shownTag;
}

/** Whether it was stored after the date, by whole seconds; undefined for what is no date. */
function isAfter(storedAtMs: number, date: string | undefined): boolean | undefined {
  if (date === undefined) return undefined;
  const atMs = Date.parse(date);
  return Number.isNaN(atMs) ? undefined : Math.floor(storedAtMs / 1000) > Math.floor(atMs / 1000);
}
