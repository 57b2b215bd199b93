/**
 * Content-Encoding (RFC 9110 section 8.4): of answers that show an entry as it is stored, and of requests
 * that bring a body encoded, which is decoded, and thereby verified, before it is stored.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { BigCacheError } from '../../protocol/errors.ts';
import type { EntryRecord } from '../../protocol/record.ts';
import { pump, type ZlibStream } from '../../segments/compression/pump.ts';
import { takesGzip } from './accept-encoding.ts';

const OPTIONS = { chunkSize: 64 * 1024 };

/** Codings in which bodies are taken. */
const DECODERS: ReadonlyMap<string, () => ZlibStream> = new Map([
  ['gzip', () => createGunzip(OPTIONS)],
  ['x-gzip', () => createGunzip(OPTIONS)],
  ['deflate', () => createInflate(OPTIONS)],
  ['br', () => createBrotliDecompress(OPTIONS)],
]);
/** What `Accept-Encoding` of a refusal says (RFC 9110 section 12.5.3). */
export const CODINGS_TAKEN = 'gzip, deflate, br';

/** Whether the answer to a request with these headers shows the entry as it is stored. */
export function isShownEncoded(
  headers: IncomingHttpHeaders,
  { contentEncoding }: Pick<EntryRecord, 'contentEncoding'>,
): boolean {
  return contentEncoding !== null && takesGzip(headers['accept-encoding'] as string | undefined);
}

/**
 * The coding that the body of a request has; undefined where it is plain. Throws MEDIA_TYPE_UNSUPPORTED
 * for one that is not known, and for several at once.
 */
export function codingOf(headers: IncomingHttpHeaders): string | undefined {
  const coding = headers['content-encoding']?.trim().toLowerCase();
  if (coding === undefined || coding === 'identity') return undefined;
  if (DECODERS.has(coding)) return coding;
  const detail = `Send the body plain, or in one of these encodings: ${CODINGS_TAKEN}.`;
  throw new BigCacheError('MEDIA_TYPE_UNSUPPORTED', detail);
}

/**
 * The plain content of a body in `coding`, piece by piece, never more than `plainBytesMax`. Throws
 * CONTENT_ENCODING_INVALID where it is damaged, cut off, or followed by anything else, BODY_TOO_LARGE
 * where it is longer, and what `body` throws.
 */
export async function* decoded(
  body: AsyncIterable<Buffer>,
  coding: string,
  plainBytesMax: number,
): AsyncGenerator<Buffer> {
  const stream = DECODERS.get(coding)?.();
  if (stream === undefined) throw new Error(`INVARIANT: ${coding} is a coding that is taken`);
  let receivedBytes = 0;
  let plainBytes = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const piece of body) {
      receivedBytes += piece.length;
      yield piece;
    }
  }
  try {
    for await (const piece of pump(stream, counted())) {
      plainBytes += piece.length;
      if (plainBytes > plainBytesMax) throw tooLarge(plainBytesMax);
      yield piece;
    }
  } catch (error) {
    throw isDamage(error) ? new BigCacheError('CONTENT_ENCODING_INVALID') : error;
  }
  // What stands behind the end is passed over by zlib, zeros for instance.
  if (stream.bytesWritten !== receivedBytes) throw new BigCacheError('CONTENT_ENCODING_INVALID');
}

function tooLarge(plainBytesMax: number): BigCacheError {
  const detail = `The decoded body is larger than the ${plainBytesMax} bytes that are taken here.`;
  return new BigCacheError('BODY_TOO_LARGE', detail);
}

/** What zlib and brotli say of bytes that are not theirs, or that end too early. */
const DAMAGE = /^(?:Z_(?:DATA_ERROR|BUF_ERROR|NEED_DICT)|ERR__ERROR_FORMAT_\w+)$/;

function isDamage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && DAMAGE.test(String(error.code));
}
