/**
 * Purges as the rest of the primary asks for them: begun in the write lane, worked off by the hand, told
 * of while they run and after.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import { type PurgeOrder, type PurgeReport, selectorText } from '../../../protocol/purge.ts';
import type { EntryStore } from '../entry-store.ts';
import type { DeadSegments } from '../space/dead-segments.ts';
import type { Hand } from '../space/hand.ts';
import type { DryRuns } from './dry-runs.ts';
import { orderOfPurge } from './purge-matchers.ts';
import type { Selection } from './purge-operations.ts';
import { isOfEverything, type Purge } from './purges.ts';

export interface PurgingOptions {
  readonly entries: EntryStore;
  readonly hand: Hand;
  readonly deadSegments: DeadSegments;
  readonly dryRuns: DryRuns;
}

export class Purging {
  readonly #options: PurgingOptions;

  constructor(options: PurgingOptions) {
    this.#options = options;
  }

  /** Purges a prefix at once; resolves with the number of readable entries it took, when counted. */
  async deletePrefix(prefix: string): Promise<number> {
    const { entries, hand } = this.#options;
    const purge = await entries.purge(prefix);
    await hand.workOff(purge);
    if (entries.pendingPurges.includes(purge)) {
      throw entries.failure ?? new BigCacheError('STORE_CLOSED');
    }
    return purge.matched;
  }

  /** Removes everything at once; the space is given back in the background. */
  async clear(): Promise<void> {
    await this.begin({ selector: { all: true }, isSoft: false, isDryRun: false });
  }

  /**
   * Begins what is ordered. When it resolves, with the version that its id is made of, a purge is in
   * effect for every reader. Rejects with PURGES_PENDING.
   */
  async begin(order: PurgeOrder): Promise<number> {
    const { entries, hand, deadSegments, dryRuns } = this.#options;
    const selection = selectionOf(order);
    if (order.isDryRun) return (await dryRuns.begin(selection)).version;
    const purge = await entries.purgeBy(selection);
    void hand.workOff(purge);
    if (isOfEverything(purge) && purge.isSoft !== true) void deadSegments.sweep();
    return purge.version;
  }

  /** What is known of a purge or dry run; undefined when there is none, or its report is gone. */
  report(version: number): PurgeReport | undefined {
    const { entries, dryRuns } = this.#options;
    const purge = entries.findPurge(version);
    if (purge !== undefined) return reportOf(purge, false);
    const dryRun = dryRuns.get(version);
    return dryRun === undefined ? undefined : reportOf(dryRun, true);
  }
}

function selectionOf(order: PurgeOrder): Selection {
  const { selector, isSoft } = order;
  const text = selectorText(selector);
  return 'tag' in selector ? { prefix: '', tag: text, isSoft } : { prefix: text, isSoft };
}

function reportOf(purge: Purge, isDryRun: boolean): PurgeReport {
  const { version, matched, removed, bytes, costMs, startedAtMs, finishedAtMs } = purge;
  const figures = { version, matched, removed, bytes, costMs, startedAtMs, finishedAtMs };
  return { ...orderOfPurge(purge), ...figures, isDryRun };
}
