/**
 * What the primary tells of its store: what it is like now, and what has been done since the server's
 * start, however often the store was closed and opened again meanwhile.
 */
import {
  addFigures,
  newFigures,
  STORE_COUNTS,
  STORE_FIGURES,
  type StoreCounts,
  type StoreFigures,
} from '../../protocol/figures.ts';
import type { OpenStore } from './open-store.ts';
import { SegmentState, type SegmentStats } from './segment-stats.ts';

export interface StoreStatistics {
  readonly store: StoreFigures;
  readonly storeCounts: StoreCounts;
}

/** What is looked at of an open store. */
export type ReportedStore = Pick<
  OpenStore,
  'entries' | 'space' | 'admission' | 'hand' | 'durability' | 'counts'
>;

export class StoreReport {
  readonly #storeBytesMax: number;
  /** What was done by stores that are closed. */
  readonly #retired: StoreCounts = newFigures(STORE_COUNTS);
  /** What the store was like when it was closed. */
  #last: StoreFigures = newFigures(STORE_FIGURES);
  #failures = 0;

  constructor(storeBytesMax: number) {
    this.#storeBytesMax = storeBytesMax;
  }

  /** The index takes no writes any more. */
  noteFailure(): void {
    this.#failures += 1;
  }

  /** Keeps what is known of a store. REQUIRES: it is not asked for again. */
  retire(open: ReportedStore): void {
    this.#last = this.#figuresOf(open, false);
    addFigures(this.#retired, open.counts);
  }

  /** `checkWritable` throws where writes would be refused. */
  of(open: ReportedStore | undefined, checkWritable: () => void): StoreStatistics {
    const storeCounts = { ...this.#retired };
    if (open === undefined) {
      const closed = { isOpen: 0, isWritable: 0, indexFailures: this.#failures };
      const nobody = { leasesHeld: 0, leaseWaiters: 0, writesWaiting: 0, roomWaitingBytes: 0 };
      return { store: { ...this.#last, ...closed, ...nobody }, storeCounts };
    }
    addFigures(storeCounts, open.counts);
    return { store: this.#figuresOf(open, isWritable(checkWritable)), storeCounts };
  }

  #figuresOf(open: ReportedStore, canWrite: boolean): StoreFigures {
    const { entries, space, admission, hand, durability } = open;
    const { held, waiting } = entries.leases.counts;
    return {
      isOpen: 1,
      isWritable: canWrite ? 1 : 0,
      indexFailures: this.#failures,
      entries: entries.count,
      ...segmentFigures(entries.segments.values()),
      segmentBytes: entries.segmentBytes,
      indexBytes: space.indexBytes,
      storeBytes: space.usedBytes,
      storeBytesMax: this.#storeBytesMax,
      diskBytes: space.diskBytes,
      diskFreeBytes: space.diskFreeBytes,
      diskFreeBytesMin: space.freeBytesMin,
      handProgress: hand.progress.share,
      purgesPending: entries.pendingPurges.length,
      leasesHeld: held,
      leaseWaiters: waiting,
      writesWaiting: entries.writesWaiting,
      roomWaitingBytes: admission.waitingBytes,
      ...durability.ages,
    };
  }
}

function isWritable(checkWritable: () => void): boolean {
  try {
    checkWritable();
    return true;
  } catch {
    return false;
  }
}

type SegmentFigures = Pick<
  StoreFigures,
  'segmentsOpen' | 'segmentsSealed' | 'segmentsDropping' | 'segmentLiveBytes'
>;

function segmentFigures(segments: Iterable<Readonly<SegmentStats>>): SegmentFigures {
  let [segmentsOpen, segmentsSealed, segmentsDropping, segmentLiveBytes] = [0, 0, 0, 0];
  for (const { state, bytesLive } of segments) {
    if (state === SegmentState.open) segmentsOpen += 1;
    else if (state === SegmentState.sealed) segmentsSealed += 1;
    else segmentsDropping += 1;
    // While a recount is under way it may be less than nothing for what was counted wrong.
    segmentLiveBytes += Math.max(0, bytesLive);
  }
  return { segmentsOpen, segmentsSealed, segmentsDropping, segmentLiveBytes };
}
