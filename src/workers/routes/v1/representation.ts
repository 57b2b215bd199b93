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
import { isShownEncoded } from '../../http/content-encoding.ts';
import { bodyHeaders } from '../../http/content-type.ts';
import { type EntityTag, encodedTag, plainTag } from '../../http/entity-tags.ts';
import { ageSeconds, cacheControlOf } from '../../http/freshness.ts';
import { contentRange, parseRange } from '../../http/range.ts';

/** What is sent: a status, its headers, and which part of the body. */
export interface Answer {
  readonly status: 200 | 206 | 304 | 416;
  readonly headers: OutgoingHttpHeaders;
  /** Undefined for the whole body. */
  readonly range: ByteRange | undefined;
  /** Whether the body is sent as it is stored, encoded, and not plain. */
  readonly encoded: boolean;
  /** Length of the form that is shown, in bytes. */
  readonly byteLength: number;
}

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly nowMs: number;
  /** `--body-csp`. */
  readonly csp: string;
}

/** What answers say of one version, whenever it is asked for. */
interface VersionTexts {
  readonly plainTag: EntityTag | undefined;
  /** Undefined where it is stored plain. */
  readonly encodedTag: EntityTag | undefined;
  readonly lastModified: string;
}

/** A record that the worker holds is shown again and again. */
const textsByRecord = new WeakMap<EntryRecord, VersionTexts>();

function textsOf(record: EntryRecord): VersionTexts {
  const known = textsByRecord.get(record);
  if (known !== undefined) return known;
  const { etag, contentEncoding, checksums, storedAtMs } = record;
  const isEncoded = etag !== null && contentEncoding !== null;
  const texts = {
    plainTag: etag === null ? undefined : plainTag(etag),
    encodedTag: isEncoded ? encodedTag(etag, contentEncoding, checksums) : undefined,
    lastModified: new Date(storedAtMs).toUTCString(),
  };
  textsByRecord.set(record, texts);
  return texts;
}

/** The tags by which conditions know the current version: of its plain form, then of its encoded one. */
export function tagsOf(record: EntryRecord): readonly EntityTag[] {
  const { plainTag: plain, encodedTag: encoded } = textsOf(record);
  return [plain, encoded].filter((tag) => tag !== undefined);
}

/** One form of an entry: what RFC 9110 section 3.2 calls the selected representation. */
interface Form {
  readonly encoded: boolean;
  readonly byteLength: number;
  readonly tag: EntityTag | undefined;
  readonly lastModified: string;
}

/**
 * The form that Accept-Encoding asks for. A client that goes on with a part of the plain one, by
 * If-Range, gets that: everybody takes it.
 */
function formOf(headers: IncomingHttpHeaders, record: EntryRecord): Form {
  const { plainTag: plain, encodedTag: asStored, lastModified } = textsOf(record);
  const encoded = isShownEncoded(headers, record) && !goesOnPlain(headers, plain);
  return encoded
    ? { encoded, byteLength: record.storedBytes, tag: asStored, lastModified }
    : { encoded, byteLength: record.plainBytes, tag: plain, lastModified };
}

function goesOnPlain(headers: IncomingHttpHeaders, plain: EntityTag | undefined): boolean {
  const ifRange = ifRangeOf(headers);
  // RFC 9110 section 13.1.5: without a Range it says nothing.
  if (ifRange === undefined || headers.range === undefined) return false;
  return ifRange.trim() === plain;
}

/** The tags of the version that a request may name; only those of the form where it names none. */
function validatorsOf(fields: ConditionFields, record: EntryRecord, form: Form): Validators {
  const { storedAtMs } = record;
  if (fields.ifMatch !== undefined || fields.ifNoneMatch !== undefined) {
    return { tags: tagsOf(record), storedAtMs };
  }
  return { tags: form.tag === undefined ? [] : [form.tag], storedAtMs };
}

/** Judges the request against the record. Throws PRECONDITION_FAILED. */
export function answerTo({ headers, method, nowMs, csp }: Asked, record: EntryRecord): Answer {
  const fields = conditionFields(headers);
  const form = formOf(headers, record);
  const outcome = judgeRead(fields, validatorsOf(fields, record, form));
  if (outcome === 'failed') throw new BigCacheError('PRECONDITION_FAILED');
  const { encoded, byteLength } = form;
  const isModified = outcome !== 'not-modified';
  const all: OutgoingHttpHeaders = isModified ? bodyHeaders(record, csp) : {};
  addCacheHeaders(all, record, form, nowMs);
  if (!isModified) return { status: 304, headers: all, range: undefined, encoded, byteLength };
  all['accept-ranges'] = 'bytes';
  if (encoded && record.contentEncoding !== null) all['content-encoding'] = record.contentEncoding;
  const range =
    method === 'GET' && mayAnswerRange(fields, form.tag)
      ? parseRange(headers.range, byteLength)
      : undefined;
  if (range === undefined) return { status: 200, headers: all, range, encoded, byteLength };
  if (range === 'unsatisfiable') {
    const headers = { 'content-range': contentRange(undefined, byteLength) };
    return { status: 416, headers, range: undefined, encoded, byteLength };
  }
  all['content-range'] = contentRange(range, byteLength);
  return { status: 206, headers: all, range, encoded, byteLength };
}

export function conditionFields(headers: IncomingHttpHeaders): ConditionFields {
  return {
    ifMatch: headers['if-match'],
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
    ifUnmodifiedSince: headers['if-unmodified-since'],
    ifRange: ifRangeOf(headers),
  };
}

function ifRangeOf(headers: IncomingHttpHeaders): string | undefined {
  return headers['if-range'] as string | undefined;
}

/**
 * Adds what caches on the way need to know; a 304 has it too (RFC 9110 section 15.4.5). They are put into the
 * one object of the answer: objects that are spread into others cost as much as all else here.
 */
function addCacheHeaders(
  headers: OutgoingHttpHeaders,
  record: EntryRecord,
  { tag, lastModified }: Form,
  nowMs: number,
): void {
  headers['last-modified'] = lastModified;
  headers['age'] = String(ageSeconds(record, nowMs));
  headers['vary'] = 'Accept-Encoding';
  headers['cache-status'] = hitStatus(record, nowMs);
  const cacheControl = cacheControlOf(record, nowMs);
  if (cacheControl !== undefined) headers['cache-control'] = cacheControl;
  if (tag !== undefined) headers['etag'] = tag;
}
