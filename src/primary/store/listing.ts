/**
 * The listing of entries in the primary: a page at a time, in the order of their keys, from the index alone.
 * What a page looks at is bounded, and each read gives the event loop back.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import type { ListedEntry, Page, PageAsked } from '../../protocol/listing.ts';
import type { Index } from './index/index-files.ts';
import { entryKey, entryRange, keyOfEntryKey } from './index/index-keys.ts';
import type { Judge } from './judge.ts';
import { successor } from './space/key-ranges.ts';

/** A page that has looked at so many ends early: there may be a million purged entries in a row. */
const LOOKED_AT_MAX = 16_384;
/** A page of records as long as this ends early. */
const PAGE_BYTES_MAX = 1024 * 1024;
/** So few are judged within one turn of the event loop. */
const ENTRIES_PER_READ = 256;
const BYTES_PER_READ = 128 * 1024;
/** Each holds a snapshot of the index. */
const PAGES_AT_A_TIME_MAX = 16;

export class Listing {
  readonly #index: Index;
  readonly #judge: Pick<Judge, 'listed'>;
  readonly #now: () => number;
  #underWay = 0;

  constructor(index: Index, judge: Pick<Judge, 'listed'>, now: () => number) {
    this.#index = index;
    this.#judge = judge;
    this.#now = now;
  }

  /**
   * The entries that come next, stale ones included, but none that is expired or purged. A page may have
   * fewer than were asked for, or none, and not be the last. Rejects with OVERLOADED, STORE_CLOSED and
   * STORE_FAILED.
   */
  async page(asked: PageAsked): Promise<Page<Buffer>> {
    if (this.#underWay >= PAGES_AT_A_TIME_MAX) throw new BigCacheError('OVERLOADED');
    this.#underWay += 1;
    try {
      return await this.#read(asked);
    } catch (error) {
      throw toReadError(error);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #read({ prefix, after, limit }: PageAsked): Promise<Page<Buffer>> {
    const { gte, lt } = entryRange(prefix);
    const from = successor(entryKey(after));
    const iterator = this.#index.iterator({
      gte: after !== '' && from.compare(gte) > 0 ? from : gte,
      lt,
      fillCache: false,
      highWaterMarkBytes: BYTES_PER_READ,
    });
    const entries: ListedEntry<Buffer>[] = [];
    let bytes = 0;
    try {
      for (let lookedAt = 0; ; ) {
        const wanted = Math.min(ENTRIES_PER_READ, LOOKED_AT_MAX - lookedAt);
        const found = await iterator.nextv(wanted);
        if (found.length === 0) return { entries, next: undefined };
        lookedAt += found.length;
        const nowMs = this.#now();
        for (const [indexKey, stored] of found) {
          const key = keyOfEntryKey(indexKey);
          const record = this.#judge.listed(key, stored, nowMs);
          if (record === undefined) continue;
          entries.push({ key, record });
          bytes += indexKey.length + record.length;
          if (entries.length >= limit || bytes >= PAGE_BYTES_MAX) return { entries, next: key };
        }
        const last = found.at(-1)?.[0];
        if (lookedAt >= LOOKED_AT_MAX && last !== undefined) {
          return { entries, next: keyOfEntryKey(last) };
        }
      }
    } finally {
      await iterator.close();
    }
  }
}

/** The index ends its iterators when it is closed. What has no code is a defect, which is to be seen. */
function toReadError(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof BigCacheError || code === undefined) return error;
  const isClosing = code === 'LEVEL_ITERATOR_NOT_OPEN' || code === 'LEVEL_DATABASE_NOT_OPEN';
  return new BigCacheError(isClosing ? 'STORE_CLOSED' : 'STORE_FAILED', undefined, {
    cause: error,
  });
}
