/**
 * Which segment is reclaimed next, and what of it stays.
 */
import { SEGMENT_HEADER_BYTES } from '../../../segments/format.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';
import type { Sweep } from './sweep.ts';

export interface Victim {
  readonly stats: Readonly<SegmentStats>;
  /** `all`: whatever is live. `chance`: what deserves it. `nothing`: there is no room for copies. */
  readonly keep: 'all' | 'chance' | 'nothing';
}

export interface VictimRules {
  /** Room is short: the oldest segment gives some. */
  readonly isShort: boolean;
  /** The disk itself is short of room, so copies would take what is not there. */
  readonly isDiskShort: boolean;
  /** Share of garbage, in percent, from which a segment is rewritten without anything evicted. */
  readonly garbagePercent: number;
  /** Whether a segment is no victim at present: pinned, lost, or something has failed with it. */
  readonly isLeftAlone: (segment: number) => boolean;
  /** Segments of one body that is never copied: they are rewritten for no garbage, only evicted. */
  readonly lone: ReadonlySet<number>;
  /** Where the last choice for want of room was. */
  readonly sweep: Sweep;
}

/**
 * The sealed segment with the most garbage, if that is enough: rewriting it evicts nothing. Else, where
 * room is short, the next of the sweep. Segments without any record are no victims: they only wait for being
 * unlinked.
 */
export function chooseVictim(
  segments: Iterable<Readonly<SegmentStats>>,
  rules: VictimRules,
): Victim | undefined {
  const eligible: Readonly<SegmentStats>[] = [];
  let emptiest: Readonly<SegmentStats> | undefined;
  for (const stats of segments) {
    if (stats.state !== SegmentState.sealed || stats.records === 0) continue;
    if (rules.isLeftAlone(stats.id)) continue;
    eligible.push(stats);
    const percent = garbagePercentOf(stats);
    if (percent < rules.garbagePercent || rules.lone.has(stats.id)) continue;
    if (emptiest === undefined || percent > garbagePercentOf(emptiest)) emptiest = stats;
  }
  if (emptiest !== undefined && !rules.isDiskShort) return { stats: emptiest, keep: 'all' };
  const next = rules.isShort ? rules.sweep.next(eligible) : undefined;
  if (next === undefined) return undefined;
  return { stats: next, keep: rules.isDiskShort ? 'nothing' : 'chance' };
}

/** What of the file no record points to, in percent. */
export function garbagePercentOf({ fileBytes, bytesLive }: Readonly<SegmentStats>): number {
  const bytes = fileBytes - SEGMENT_HEADER_BYTES;
  return bytes <= 0 ? 0 : (100 * Math.max(0, bytes - bytesLive)) / bytes;
}
