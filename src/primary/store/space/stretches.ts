/**
 * How the hand divides the work of many purges: into stretches of the index, each with the few purges
 * that can take anything in it. So a chunk of a scan costs the same with one purge and with 10,000.
 */
import { ENTRIES, entryRange, type KeyRange } from '../index/index-keys.ts';
import type { PurgeMark } from '../purges/purge-matchers.ts';
import { packMarks } from '../purges/purges.ts';
import { clipRanges, joinRanges } from './key-ranges.ts';

export type { PurgeMark } from '../purges/purge-matchers.ts';

export interface Stretch {
  /** Sorted; none touches another. */
  readonly ranges: readonly KeyRange[];
  /** All that take anything in these ranges, but for those that a newer and wider one outdoes. */
  readonly purges: readonly PurgeMark[];
  /** More of them, as packMarks packs them. */
  readonly packed?: Uint8Array;
}

/**
 * Sending 10,000 purges to a thread costs the primary's event loop 14 ms, sending 256 costs it less
 * than 0.1 ms.
 */
const PURGES_PER_STRETCH = 256;

interface Reach extends KeyRange {
  readonly purge: PurgeMark;
}

/** All entries, and no purge. */
export const EVERYTHING: readonly Stretch[] = [{ ranges: [ENTRIES], purges: [] }];

/**
 * The stretches that make up the ranges of all `purges`, in the order of their keys. Each has at most
 * `purgesMax` purges, and those beside that reach into it from before its begin.
 *
 * A tag has no range, and a soft purge is not outdone by a newer one, which makes stale later. With such
 * among them all ranges are one stretch, whose purges are packed once.
 */
export function stretchesOf(
  purges: readonly PurgeMark[],
  purgesMax = PURGES_PER_STRETCH,
): Stretch[] {
  if (purges.some(({ tag, isSoft }) => tag !== undefined || isSoft === true)) {
    const ranges = joinRanges(purges.map(rangeOf));
    return [{ ranges, purges: [], packed: packMarks(purges) }];
  }
  const reaches = withoutOutdone(purges);
  const stretches: Stretch[] = [];
  let open: Reach[] = [];
  for (let from = 0; from < reaches.length; from += purgesMax) {
    const begin = (reaches[from] as Reach).gte;
    const bounds = { gte: begin, lt: reaches[from + purgesMax]?.gte ?? ENTRIES.lt };
    const inside = [
      ...open.filter(({ lt }) => lt.compare(begin) > 0),
      ...reaches.slice(from, from + purgesMax),
    ];
    stretches.push({
      ranges: joinRanges(clipRanges(inside, bounds)),
      purges: inside.map(({ purge }) => purge),
    });
    open = inside.filter(({ lt }) => lt.compare(bounds.lt) > 0);
  }
  return stretches;
}

function rangeOf({ prefix, tag }: PurgeMark): KeyRange {
  return tag === undefined ? entryRange(prefix) : ENTRIES;
}

/** Sorted by their begins. A purge is outdone by a newer one of the same prefix or a shorter one. */
function withoutOutdone(purges: readonly PurgeMark[]): Reach[] {
  const newest = new Map<string, PurgeMark>();
  for (const purge of purges) {
    if (purge.version > (newest.get(purge.prefix)?.version ?? 0)) newest.set(purge.prefix, purge);
  }
  const sorted = [...newest.values()]
    .map(({ version, prefix }) => ({ purge: { version, prefix }, ...entryRange(prefix) }))
    .sort((one, other) => one.gte.compare(other.gte));
  // A prefix comes before all that it begins. INVARIANT: versions rise from wide to narrow in `around`.
  const kept: Reach[] = [];
  const around: Reach[] = [];
  for (const reach of sorted) {
    while (!reach.purge.prefix.startsWith(around.at(-1)?.purge.prefix ?? '')) around.pop();
    if ((around.at(-1)?.purge.version ?? 0) > reach.purge.version) continue;
    around.push(reach);
    kept.push(reach);
  }
  return kept;
}
