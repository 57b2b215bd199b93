/**
 * An entry as an append tells of it, checked, and the record that is made from it when an index is
 * rebuilt.
 */
import { encodeRecord, Kind, type KindCode, staleFrom } from '../../../protocol/record.ts';
import { recordChecksums } from '../../../segments/checksum.ts';
import { type AppendMeta, decodeAppendMeta } from '../../../segments/format.ts';
import type { VerifiedAppend } from '../../../segments/verified-walk.ts';

export interface FoundEntry {
  readonly key: string;
  readonly segment: number;
  readonly bodyAt: number;
  readonly storedBytes: number;
  readonly kind: KindCode;
  readonly meta: AppendMeta;
  /** What the record keeps of the body's checksums. */
  readonly checksums: Buffer;
  /** A damaged body gets no entry, and keeps older ones of its key from coming back. */
  readonly bodyIsIntact: boolean;
}

/** The entry of an append, or undefined when it says what no version of this format says. */
export function foundEntry(
  segment: number,
  { header, key, bodyAt, table, meta }: VerifiedAppend,
  bodyIsIntact: boolean,
): FoundEntry | undefined {
  const kind = [Kind.json, Kind.raw].find((code) => code === header.kind);
  const decoded = decodeMeta(meta);
  if (kind === undefined || decoded === undefined || decoded.plainBytes < 0) return undefined;
  return {
    key,
    segment,
    bodyAt,
    storedBytes: header.bodyBytes,
    kind,
    meta: decoded,
    checksums: Buffer.from(recordChecksums(table)),
    bodyIsIntact,
  };
}

/** The checksum says that a writer wrote this; the shape says that it was one of this format. */
function decodeMeta(bytes: Buffer): AppendMeta | undefined {
  let meta: AppendMeta;
  try {
    // What is kept of it must not lie in the bytes, which are valid for a moment only.
    meta = decodeAppendMeta(Buffer.from(bytes));
  } catch {
    return undefined;
  }
  const counts: unknown[] = [
    meta.storedAtMs,
    meta.expiresAtMs,
    meta.staleWhileRevalidateUntilMs,
    meta.staleIfErrorUntilMs,
    meta.plainBytes,
    meta.costMs,
  ];
  const texts: unknown[] = [meta.contentType, meta.contentEncoding, meta.duration];
  const isOfThisFormat =
    counts.every((count) => Number.isSafeInteger(count) && Number(count) >= 0) &&
    texts.every((text) => text === null || typeof text === 'string') &&
    (meta.etag === null || Buffer.isBuffer(meta.etag)) &&
    (meta.expire === null || typeof meta.expire === 'number') &&
    Array.isArray(meta.tags) &&
    meta.tags.every((tag) => typeof tag === 'string');
  return isOfThisFormat ? meta : undefined;
}

/**
 * What is said of an entry that may have been deleted: it is stale, and shown to those alone who say after a
 * failure of their own that they take what is stale. Any reader is shown what is revalidated.
 */
function distrusted(meta: AppendMeta, fromMs: number): AppendMeta {
  const stale = staleFrom(meta, fromMs);
  const untilMs = Math.max(stale.staleWhileRevalidateUntilMs, stale.staleIfErrorUntilMs);
  return { ...stale, staleWhileRevalidateUntilMs: 0, staleIfErrorUntilMs: untilMs };
}

/** The record of the entry under `version`. With `staleFromMs` it is not trusted from that time on. */
export function recordOf(
  entry: FoundEntry,
  version: number,
  staleFromMs: number | undefined,
): Buffer {
  const { key, segment, bodyAt, storedBytes, kind, checksums } = entry;
  const meta = staleFromMs === undefined ? entry.meta : distrusted(entry.meta, staleFromMs);
  return encodeRecord(Buffer.from(key), {
    ...meta,
    kind,
    version,
    pointer: { segment, offset: bodyAt },
    storedBytes,
    checksums,
  });
}
