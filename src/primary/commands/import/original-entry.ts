/**
 * What one item of the original's database means here: an entry, or why there is none.
 */
import { isUtf8 } from 'node:buffer';
import { BigCacheError } from '../../../protocol/errors.ts';
import { keyFromTarget } from '../../../protocol/key.ts';
import { DURATION_LENGTH_MAX, lifetimeFromExpire } from '../../../protocol/lifetime.ts';
import { type EntryMeta, Kind } from '../../../protocol/record.ts';
import type { OriginalItem } from '../../store/original-database.ts';

/** Why an item is not imported. */
export const SKIP_REASONS = {
  expired: 'expired before the import',
  'key-empty': 'the key is empty',
  'key-invalid': 'the key is not UTF-8, or has control characters or dot segments',
  'key-too-long': 'the key is longer than 8192 bytes',
  'body-too-large': 'the body is larger than --max-body',
} as const;

export type SkipReason = keyof typeof SKIP_REASONS;

export interface ImportedEntry {
  readonly key: string;
  readonly meta: EntryMeta;
  readonly body: Buffer;
}

/** The original stores a JSON entry as the text of `{"value","expire","duration"}`, in this order. */
const HEAD = Buffer.from('{"value":');
const TAIL = /,"expire":(null|-?\d[\d.eE+-]*),"duration":(null|"(?:[^"\\]|\\.)*")\}$/;
/** A duration is a short text, so this is more than any tail has. */
const TAIL_BYTES_MAX = 4096;

/** Converts an item. Expired JSON entries are skipped; what is no JSON entry is raw bytes. */
export function convertItem(
  { key, value }: OriginalItem,
  nowMs: number,
  bodyBytesMax: number,
): ImportedEntry | SkipReason {
  const canonical = canonicalKey(key);
  if (typeof canonical !== 'object') return canonical;
  const json = parseJsonEntry(value);
  const body = json?.body ?? value;
  const meta = json?.meta ?? RAW;
  if (meta.expiresAtMs !== 0 && meta.expiresAtMs <= nowMs) return 'expired';
  return body.length > bodyBytesMax ? 'body-too-large' : { key: canonical.key, meta, body };
}

const RAW: EntryMeta = {
  kind: Kind.raw,
  expiresAtMs: 0,
  contentType: null,
  expire: null,
  duration: null,
};

/** The key under which a client of the original finds the same entry here. */
function canonicalKey(key: Buffer): { key: string } | SkipReason {
  if (!isUtf8(key)) return 'key-invalid';
  // The original's keys are decoded paths; encoded again they are the target that named them.
  const target = encodeURIComponent(key.toString()).replaceAll('%2F', '/');
  try {
    return { key: keyFromTarget(target, 'write') };
  } catch (error) {
    if (!(error instanceof BigCacheError)) throw error;
    if (error.code === 'KEY_EMPTY') return 'key-empty';
    return error.code === 'KEY_TOO_LONG' ? 'key-too-long' : 'key-invalid';
  }
}

function parseJsonEntry(value: Buffer): { meta: EntryMeta; body: Buffer } | undefined {
  if (!value.subarray(0, HEAD.length).equals(HEAD) || !isUtf8(value)) return undefined;
  const end = value.toString('latin1', Math.max(HEAD.length, value.length - TAIL_BYTES_MAX));
  const tail = TAIL.exec(end);
  if (tail === null) return undefined;
  const body = value.subarray(HEAD.length, value.length - tail[0].length);
  try {
    // With a whole JSON value between head and tail, the item as a whole is the object they frame.
    JSON.parse(body.toString());
    const [expire, duration] = JSON.parse(
      Buffer.from(`[${tail[1]},${tail[2]}]`, 'latin1').toString(),
    );
    // The end of the entry stands in expire; a text longer than any client sends is not kept.
    const isShort = typeof duration === 'string' && duration.length <= DURATION_LENGTH_MAX;
    const meta = { ...RAW, kind: Kind.json, ...lifetimeFromExpire(expire) };
    return { meta: isShort ? { ...meta, duration } : meta, body };
  } catch {
    return undefined;
  }
}
