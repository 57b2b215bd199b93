/** The Content-Type of a body, when it is stored and when it is shown. */
import type { OutgoingHttpHeaders } from 'node:http';
import { BigCacheError } from '../../protocol/errors.ts';
import { type EntryRecord, Kind } from '../../protocol/record.ts';
import { JSON_TYPE } from '../wrapper.ts';

const CONTENT_TYPE_BYTES_MAX = 256;

/** The field as it was sent; null where there is none. Throws REQUEST_INVALID when it is too long. */
export function storedContentType(field: string | undefined): string | null {
  if (field === undefined || field === '') return null;
  if (Buffer.byteLength(field) > CONTENT_TYPE_BYTES_MAX) {
    const detail = `A Content-Type has at most ${CONTENT_TYPE_BYTES_MAX} bytes.`;
    throw new BigCacheError('REQUEST_INVALID', detail);
  }
  return field;
}

export const RAW_TYPE = 'application/octet-stream';

/**
 * The headers that say what a body is, so that no browser takes it for something else; `csp` is
 * `--body-csp`.
 */
export function bodyHeaders(
  { kind, contentType }: Pick<EntryRecord, 'kind' | 'contentType'>,
  csp: string,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'content-type': kind === Kind.json ? JSON_TYPE : (contentType ?? RAW_TYPE),
    'x-content-type-options': 'nosniff',
  };
  if (csp !== 'none') headers['content-security-policy'] = csp;
  return headers;
}
