/**
 * Takes one segment file after the other into a new index, and counts what it finds in them.
 */
import { join } from 'node:path';
import { segmentFileName } from '../../../segments/format.ts';
import { VerifiedWalk, type WalkStep } from '../../../segments/verified-walk.ts';
import { type FoundEntry, foundEntry } from '../../store/rebuild/found-entry.ts';
import type { NewIndex } from '../../store/rebuild/new-index.ts';

export interface RebuildCounts {
  segments: number;
  bytes: number;
  appends: number;
  voidAppends: number;
  /** Appends of keys that were stored again later. */
  displaced: number;
  damagedBodies: number;
  /** Places in the files in which nothing sound was found, and their bytes. */
  damagedPlaces: number;
  damagedBytes: number;
  /** Appends that are whole and say what no version of this format says. */
  foreignAppends: number;
  tornTails: number;
  tornBytes: number;
}

const ENTRIES_PER_BATCH = 512;

export class SegmentIntake {
  readonly counts = newCounts();
  readonly #segmentsPath: string;
  readonly #index: NewIndex;
  readonly #nowMs: number;

  constructor(segmentsPath: string, index: NewIndex, nowMs: number) {
    this.#segmentsPath = segmentsPath;
    this.#index = index;
    this.#nowMs = nowMs;
  }

  /**
   * Takes the file of segment `id` in; answers whether anything in it is damaged. `goOn` is told now
   * and then how far it is in the file, and answers whether to go on. REQUIRES: ids rise.
   */
  async take(id: number, goOn: (at: number) => boolean): Promise<boolean> {
    const walk = await VerifiedWalk.open(join(this.#segmentsPath, segmentFileName(id)));
    try {
      const header = await walk.header();
      // Appends speak for themselves, so a damaged header costs none of them.
      this.#index.addSegment(id, header?.createdAtMs ?? this.#nowMs, walk.size);
      this.counts.segments += 1;
      let isDamaged = header === undefined && walk.size > 0;
      let entries: FoundEntry[] = [];
      for await (const step of walk.steps()) {
        const entry = this.#entryOf(step, id);
        if (entry === undefined) continue;
        if (entry === 'damaged' || !entry.bodyIsIntact) isDamaged = true;
        if (entry === 'damaged') continue;
        entries.push(entry);
        if (entries.length < ENTRIES_PER_BATCH) continue;
        await this.#add(entries);
        entries = [];
        if (!goOn(entry.bodyAt)) return isDamaged;
      }
      await this.#add(entries);
      this.counts.bytes += walk.size;
      return isDamaged;
    } finally {
      await walk.close();
    }
  }

  async #add(entries: readonly FoundEntry[]): Promise<void> {
    this.counts.displaced += await this.#index.add(entries);
  }

  /** The entry of a step; undefined where there rightly is none. */
  #entryOf(step: WalkStep, id: number): FoundEntry | 'damaged' | undefined {
    const { counts } = this;
    if (step.what === 'tail' && step.isTorn) {
      counts.tornTails += 1;
      counts.tornBytes += step.bytes;
      return undefined;
    }
    if (step.what !== 'append') {
      counts.damagedPlaces += 1;
      counts.damagedBytes += step.bytes;
      return 'damaged';
    }
    counts.appends += 1;
    if (!step.append.header.isLive) {
      counts.voidAppends += 1;
      return undefined;
    }
    const isIntact = step.bodyIsIntact === true;
    if (!isIntact) counts.damagedBodies += 1;
    const entry = foundEntry(id, step.append, isIntact);
    if (entry === undefined) counts.foreignAppends += 1;
    return entry ?? 'damaged';
  }
}

function newCounts(): RebuildCounts {
  return {
    segments: 0,
    bytes: 0,
    appends: 0,
    voidAppends: 0,
    displaced: 0,
    damagedBodies: 0,
    damagedPlaces: 0,
    damagedBytes: 0,
    foreignAppends: 0,
    tornTails: 0,
    tornBytes: 0,
  };
}
