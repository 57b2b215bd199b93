/**
 * What a GET or HEAD of an entry is answered with: judged from its record, before its body is opened.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { BigCacheError } from '../../../protocol/errors.ts';
import type { EntryRecord } from '../../../protocol/record.ts';
import type { ByteRange } from '../../../segments/body-reader.ts';
import { hitStatus } from '../../http/cache-status.ts';
import {
  type ConditionFields,
  judgeRead,
  mayAnswerRange,
  type Validators,
} from '../../http/conditions.ts';
import { bodyHeaders } from '../../http/content-type.ts';
import { plainTag } from '../../http/entity-tags.ts';
import { ageSeconds, cacheControlOf } from '../../http/freshness.ts';
import { contentRange, parseRange } from '../../http/range.ts';

/** What is sent: a status, its headers, and which part of the body. */
export interface Answer {
  readonly status: 200 | 206 | 304 | 416;
  readonly headers: OutgoingHttpHeaders;
  /** Undefined for the whole body. */
  readonly range: ByteRange | undefined;
}

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly nowMs: number;
  /** `--body-csp`. */
  readonly csp: string;
}

/** The tags by which conditions know the current version. */
export function tagsOf({ etag }: Pick<EntryRecord, 'etag'>): readonly string[] {
  return etag === null ? [] : [plainTag(etag)];
}

/** Judges the request against the record. Throws PRECONDITION_FAILED. */
export function answerTo({ headers, method, nowMs, csp }: Asked, record: EntryRecord): Answer {
  const current: Validators = { tags: tagsOf(record), storedAtMs: record.storedAtMs };
  const fields = conditionFields(headers);
  const outcome = judgeRead(fields, current);
  if (outcome === 'failed') throw new BigCacheError('PRECONDITION_FAILED');
  const shown = cacheHeaders(record, current.tags, nowMs);
  if (outcome === 'not-modified') return { status: 304, headers: shown, range: undefined };
  const whole = { ...bodyHeaders(record, csp), ...shown, 'accept-ranges': 'bytes' };
  const range =
    method === 'GET' && mayAnswerRange(fields, current)
      ? parseRange(headers.range, record.plainBytes)
      : undefined;
  if (range === undefined) return { status: 200, headers: whole, range };
  if (range === 'unsatisfiable') {
    const refused = { 'content-range': contentRange(undefined, record.plainBytes) };
    return { status: 416, headers: refused, range: undefined };
  }
  const part = { ...whole, 'content-range': contentRange(range, record.plainBytes) };
  return { status: 206, headers: part, range };
}

export function conditionFields(headers: IncomingHttpHeaders): ConditionFields {
  return {
    ifMatch: headers['if-match'],
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
    ifUnmodifiedSince: headers['if-unmodified-since'],
    ifRange: headers['if-range'] as string | undefined,
  };
}

/** What caches on the way need to know; a 304 has it too (RFC 9110 section 15.4.5). */
function cacheHeaders(
  record: EntryRecord,
  tags: readonly string[],
  nowMs: number,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'last-modified': new Date(record.storedAtMs).toUTCString(),
    age: String(ageSeconds(record, nowMs)),
    vary: 'Accept-Encoding',
    'cache-status': hitStatus(record, nowMs),
  };
  const cacheControl = cacheControlOf(record);
  if (cacheControl !== undefined) headers['cache-control'] = cacheControl;
  const [tag] = tags;
  if (tag !== undefined) headers['etag'] = tag;
  return headers;
}
