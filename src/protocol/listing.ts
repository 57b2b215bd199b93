/**
 * A page of the listing of entries, as it is asked for and as it crosses the channel. Both processes use it.
 */
import { isUtf8 } from 'node:buffer';

export const PAGE_ENTRIES_MAX = 1000;

export interface PageAsked {
  /** The beginning of all keys of the page; empty for every key. */
  readonly prefix: string;
  /** Only keys behind this one; empty from the beginning. */
  readonly after: string;
  /** 1 to PAGE_ENTRIES_MAX. */
  readonly limit: number;
}

/** Entries in the order of the bytes of their keys; `Record` is the encoded or the decoded one. */
export interface Page<Record> {
  readonly entries: readonly ListedEntry<Record>[];
  /** The key after which the next page begins; undefined where this is the last. */
  readonly next: string | undefined;
}

export interface ListedEntry<Record> {
  readonly key: string;
  readonly record: Record;
}

/** Keys travel as bytes, as everywhere on the channel. */
export function pageToWire({ entries, next }: Page<Buffer>): unknown {
  const flat = entries.flatMap(({ key, record }) => [Buffer.from(key), record]);
  return [next === undefined ? null : Buffer.from(next), flat];
}

/** The page behind what came over the channel; undefined for anything else. */
export function pageFromWire(wire: unknown): Page<Buffer> | undefined {
  const [next, flat]: unknown[] = Array.isArray(wire) ? wire : [];
  if (!Array.isArray(flat) || flat.length % 2 !== 0 || !flat.every(Buffer.isBuffer)) {
    return undefined;
  }
  if (next !== null && !isText(next)) return undefined;
  const entries: ListedEntry<Buffer>[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    entries.push({ key: String(flat[at]), record: flat[at + 1] as Buffer });
  }
  return { entries, next: next === null ? undefined : next.toString() };
}

function isText(value: unknown): value is Buffer {
  return Buffer.isBuffer(value) && isUtf8(value);
}
