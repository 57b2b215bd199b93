/**
 * The generation time that hits have saved: each hit saves what its entry cost to make. Kept by
 * each worker and summed by the primary, in total and by the first segment of the path.
 */

/** Segments beyond so many are counted together. */
export const SAVINGS_SEGMENTS_MAX = 100;
export const OTHER_SEGMENT = 'other';
/** Longer segments are counted among the others: the list crosses the channel each second. */
const SEGMENT_LENGTH_MAX = 64;

/** Hits on entries whose cost is known, and what they have saved. */
export interface Saving {
  hits: number;
  savedMs: number;
}

/** `[segment, hits, savedMs, segment, ...]`, as it crosses the channel. */
export type SavingsList = readonly (string | number)[];

export class Savings {
  readonly total: Saving = { hits: 0, savedMs: 0 };
  readonly #bySegment = new Map<string, Saving>();

  /** First path segment -> what was saved under it; the order is that in which they came. */
  get bySegment(): ReadonlyMap<string, Readonly<Saving>> {
    return this.#bySegment;
  }

  /** Notes a hit. Entries whose cost is not known save nothing. */
  noteHit(key: string, costMs: number): void {
    if (costMs > 0) this.#add(firstSegmentOf(key), 1, costMs);
  }

  addAll(more: Savings): void {
    for (const [segment, { hits, savedMs }] of more.bySegment) this.#add(segment, hits, savedMs);
  }

  toList(): SavingsList {
    const list: (string | number)[] = [];
    for (const [segment, { hits, savedMs }] of this.#bySegment) list.push(segment, hits, savedMs);
    return list;
  }

  /** Reads a list; what is no saving is left out. */
  static fromList(list: unknown): Savings {
    const savings = new Savings();
    if (!isSavingsList(list)) return savings;
    for (let at = 0; at < list.length; at += 3) {
      savings.#add(String(list[at]), Number(list[at + 1]), Number(list[at + 2]));
    }
    return savings;
  }

  #add(segment: string, hits: number, savedMs: number): void {
    const saving = this.#of(segment);
    saving.hits += hits;
    saving.savedMs += savedMs;
    this.total.hits += hits;
    this.total.savedMs += savedMs;
  }

  #of(segment: string): Saving {
    const known = this.#bySegment.get(segment);
    if (known !== undefined) return known;
    const isOneTooMany =
      this.#bySegment.size - (this.#bySegment.has(OTHER_SEGMENT) ? 1 : 0) >= SAVINGS_SEGMENTS_MAX;
    if (isOneTooMany && segment !== OTHER_SEGMENT) return this.#of(OTHER_SEGMENT);
    const saving = { hits: 0, savedMs: 0 };
    this.#bySegment.set(segment, saving);
    return saving;
  }
}

/** Whether it is a list as `toList` makes it, of at most all segments and the others. */
export function isSavingsList(list: unknown): list is SavingsList {
  if (!Array.isArray(list) || list.length % 3 !== 0) return false;
  if (list.length > 3 * (SAVINGS_SEGMENTS_MAX + 1)) return false;
  return list.every((value, at) =>
    at % 3 === 0 ? typeof value === 'string' : Number.isSafeInteger(value) && value >= 0,
  );
}

function firstSegmentOf(key: string): string {
  let end = 0;
  while (end < key.length && key[end] !== '/' && key[end] !== '?') end += 1;
  const segment = key.slice(0, end);
  return segment.length <= SEGMENT_LENGTH_MAX ? segment : OTHER_SEGMENT;
}
