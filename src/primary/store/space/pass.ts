/**
 * One way of the hand through the entries, and how far it has come: a pass over the ranges of the
 * purges that were pending when it began, or a round over everything, which looks for what expired.
 */
import type { ScanRequest, ScanResult } from '../../jobs/scan-entries.ts';
import { ENTRIES } from '../index/index-keys.ts';
import type { Purge } from '../purges/purges.ts';
import type { PassPosition } from './hand-position.ts';
import { EVERYTHING, type Stretch, stretchesOf } from './stretches.ts';

export class Pass {
  readonly startedAtMs: number;
  /** Versions of the purges that are worked off when the pass has ended; none in a round. */
  readonly covered: readonly number[];
  readonly #upTo: number;
  readonly #stretches: readonly Stretch[];
  #stretch = 0;
  #at: Buffer;
  /** How much of the present stretch lies behind. */
  #stretchShare = 0;
  #scanned = 0;
  #removed = 0;

  private constructor(
    stretches: readonly Stretch[],
    covered: readonly number[],
    begin: Partial<PassPosition> & Pick<PassPosition, 'startedAtMs'>,
  ) {
    this.#stretches = stretches;
    this.covered = covered;
    this.#upTo = Math.max(0, ...covered.slice(-1));
    this.startedAtMs = begin.startedAtMs;
    this.#scanned = begin.scanned ?? 0;
    this.#removed = begin.removed ?? 0;
    this.#at = begin.at ?? ENTRIES.gte;
    this.#skipDone();
  }

  /**
   * A pass for all these purges. REQUIRES: they are oldest first, all that are pending. One that is
   * committed later is not looked for from the begin, so it is left to the next pass.
   */
  static over(purges: readonly Purge[], startedAtMs: number): Pass {
    return new Pass(stretchesOf(purges), versionsOf(purges), { startedAtMs });
  }

  static round(startedAtMs: number): Pass {
    return new Pass(EVERYTHING, [], { startedAtMs });
  }

  /**
   * The pass that an earlier run had brought to `position`; undefined when all that it was for is
   * done. `pending` are the purges, oldest first. Purges are published in the order of their
   * versions, so those of `upTo` and older are just those that were pending when it began.
   */
  static resumed(position: PassPosition, pending: readonly Purge[]): Pass | undefined {
    if (position.upTo === 0) return new Pass(EVERYTHING, [], position);
    const purges = pending.filter(({ version }) => version <= position.upTo);
    if (purges.length === 0) return undefined;
    return new Pass(stretchesOf(purges), versionsOf(purges), position);
  }

  get isRound(): boolean {
    return this.covered.length === 0;
  }

  get isDone(): boolean {
    return this.#stretch >= this.#stretches.length;
  }

  get scanned(): number {
    return this.#scanned;
  }

  get removed(): number {
    return this.#removed;
  }

  /** How much of it is done, from 0 to 1, by the size of the index; roughly. */
  get share(): number {
    return this.isDone ? 1 : (this.#stretch + this.#stretchShare) / this.#stretches.length;
  }

  get position(): PassPosition {
    return {
      upTo: this.#upTo,
      at: this.#at,
      startedAtMs: this.startedAtMs,
      scanned: this.#scanned,
      removed: this.#removed,
    };
  }

  /** What is to be scanned next. REQUIRES: the pass is not done. */
  next(): Pick<ScanRequest, 'at' | 'ranges' | 'purges' | 'packed'> {
    const stretch = this.#stretches[this.#stretch];
    if (stretch === undefined) throw new Error('INVARIANT: a pass that is done has nothing next');
    return { at: this.#at, ...stretch };
  }

  /** Goes on behind what was scanned. REQUIRES: all that was found there has been removed. */
  advance({ scanned, next, share }: Omit<ScanResult, 'dead' | 'stale'>, removed: number): void {
    this.#scanned += scanned;
    this.#removed += removed;
    if (next !== undefined) {
      this.#at = Buffer.from(next);
      this.#stretchShare = share;
      return;
    }
    this.#at = this.#stretches[this.#stretch]?.ranges.at(-1)?.lt ?? this.#at;
    this.#skipDone();
  }

  /** Moves on to the first stretch that has something left. */
  #skipDone(): void {
    this.#stretchShare = 0;
    while (!this.isDone) {
      const end = this.#stretches[this.#stretch]?.ranges.at(-1)?.lt;
      if (end !== undefined && end.compare(this.#at) > 0) return;
      this.#stretch += 1;
    }
  }
}

function versionsOf(purges: readonly Purge[]): number[] {
  return purges.map(({ version }) => version);
}
