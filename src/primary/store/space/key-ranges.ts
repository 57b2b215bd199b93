/**
 * Sets of index keys as half-open ranges. Pure; used by the hand in the primary and by its job thread.
 */
import type { KeyRange } from '../index/index-keys.ts';

/** The same keys in as few ranges as possible: sorted, and none touches another. */
export function joinRanges(ranges: readonly KeyRange[]): KeyRange[] {
  const joined: { gte: Buffer; lt: Buffer }[] = [];
  for (const { gte, lt } of ranges.toSorted((one, other) => one.gte.compare(other.gte))) {
    if (gte.compare(lt) >= 0) continue;
    const last = joined.at(-1);
    if (last === undefined || gte.compare(last.lt) > 0) joined.push({ gte, lt });
    else last.lt = later(last.lt, lt);
  }
  return joined;
}

/** What of each range lies within `bounds`; ranges without a common key are left out. */
export function clipRanges(ranges: readonly KeyRange[], bounds: KeyRange): KeyRange[] {
  return ranges
    .map(({ gte, lt }) => ({ gte: later(gte, bounds.gte), lt: earlier(lt, bounds.lt) }))
    .filter(({ gte, lt }) => gte.compare(lt) < 0);
}

/** The smallest key after `key`. */
export function successor(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

function later(one: Buffer, other: Buffer): Buffer {
  return one.compare(other) >= 0 ? one : other;
}

function earlier(one: Buffer, other: Buffer): Buffer {
  return one.compare(other) <= 0 ? one : other;
}
