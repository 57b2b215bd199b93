/**
 * What workers ask of counters and of the listing, from the fields of a message to those of its
 * answer; in the primary. REQUIRES: the channel has checked the fields.
 */
import { incrementedToWire, integerOf } from '../../protocol/counter.ts';
import { pageToWire } from '../../protocol/listing.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { Storage } from '../store/storage.ts';

type Fields = readonly unknown[];

/** Rejects as a write does, with NOT_AN_INTEGER and with COUNTER_OVERFLOW. */
export async function increment(
  { entries, hasRoom }: Pick<Storage, 'entries' | 'hasRoom'>,
  fields: Fields,
): Promise<unknown> {
  const [key, by, initial, ttlMs, seen] = fields;
  const order = { by: integer(by), initial: integer(initial), ttlMs: ttlMs as number };
  const read = Array.isArray(seen)
    ? { version: seen[0] as number, value: integer(seen[1]) }
    : undefined;
  return incrementedToWire(await entries.increment(key as string, order, read, hasRoom));
}

/** Rejects as a read does. */
export async function listEntries(entries: EntryStore, fields: Fields): Promise<unknown> {
  const [prefix, after, limit] = fields;
  const asked = {
    prefix: prefix as string,
    after: String(after ?? ''),
    limit: limit as number,
  };
  return pageToWire(await entries.listing.page(asked));
}

function integer(text: unknown): bigint {
  const value = integerOf(String(text));
  if (value === undefined) throw new Error('INVARIANT: the channel has found it to be an integer');
  return value;
}
