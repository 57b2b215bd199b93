/**
 * The store while it is open: the index with its entries, and what works on it in the background,
 * started and stopped in the order that they need.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../../protocol/config.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import type { StoreCounts } from '../../protocol/figures.ts';
import type { ChangeGuard } from '../coherence/coherence.ts';
import type { StoreDirectory } from '../directory/directory.ts';
import { JobPool } from '../jobs/job-pool.ts';
import { Backups } from './backup/backups.ts';
import { Durability } from './durability.ts';
import { EntryStore } from './entry-store.ts';
import { DAMAGED_RECORDS, IndexCheck } from './index/index-check.ts';
import {
  type LostChanges,
  type OpenedIndex,
  openIndexChecked,
  writeBufferBytesFor,
} from './index/index-files.ts';
import { sealIndex } from './index/index-seal.ts';
import { DryRuns } from './purges/dry-runs.ts';
import type { GoneEntries } from './purges/gone-entries.ts';
import { Purging } from './purges/purging.ts';
import { Recounting } from './recounting.ts';
import { hasRoom, reopenRoomBytesFor } from './room.ts';
import type { LossCause } from './segment-stats.ts';
import { Admission } from './space/admission.ts';
import { DeadSegments } from './space/dead-segments.ts';
import { Hand } from './space/hand.ts';
import { LostSegments } from './space/lost-segments.ts';
import { Pins } from './space/pins.ts';
import { Reclaimer } from './space/reclaimer.ts';
import { Reserve, reserveBytesFor } from './space/reserve.ts';
import { surveySegmentFiles } from './space/segment-files.ts';
import { SegmentReclaim } from './space/segment-reclaim.ts';
import { Space } from './space/space.ts';
import { Visited } from './space/visited.ts';

/** The options of the server that are about the store. */
export type StoreSettings = Pick<
  Config,
  | 'workers'
  | 'storeBytesMax'
  | 'freeBytesMin'
  | 'segmentBytes'
  | 'durability'
  | 'reclaimGarbagePercent'
  | 'reclaimBytesPerSecond'
  | 'handEntriesPerSecond'
>;

export interface OpenOptions {
  readonly directory: StoreDirectory;
  readonly settings: StoreSettings;
  readonly log: Logger;
  readonly now: () => number;
  /** Tells every worker to give up its descriptor of a segment. */
  readonly onDrop: (segment: number) => void;
  /** Tells every worker to write nothing more to a segment: it cannot be synced. */
  readonly onRetire: (segment: number) => void;
  /** Told once when the index takes no writes any more. */
  readonly onFailure: () => void;
  /** Whether somebody may still write the open segments of this writer. */
  readonly hasWriter: (writer: number) => boolean;
  /** Segments whose files were gone before, while the store was open. */
  readonly lost: ReadonlyMap<number, LossCause>;
  /** What is remembered of entries that went while the process has been running. */
  readonly gone: GoneEntries;
  /** Makes changes known to whoever holds what they change. */
  readonly guard: ChangeGuard;
  /** Where the visited bits are held, from one opening to the next. */
  readonly visitedMemory: SharedArrayBuffer;
}

const SAVE_VISITED_EVERY_MS = 60_000;
const MAKE_RESERVE_EVERY_MS = 60_000;
/** Tables and logs that LevelDB has for a while beside those that it keeps. */
const INDEX_SLACK_WRITE_BUFFERS = 2;
/** Jobs are given this long to end before a failed index is opened again. */
const JOBS_END_MS = 2000;

/** What an opening has made. */
interface Opened {
  readonly entries: EntryStore;
  readonly durability: Durability;
  readonly visited: Visited;
  readonly space: Space;
  readonly lost: ReadonlyMap<number, LossCause>;
  readonly unchecked: OpenedIndex['unchecked'];
}

export class OpenStore {
  readonly entries: EntryStore;
  readonly jobs: JobPool;
  readonly hand: Hand;
  readonly deadSegments: DeadSegments;
  readonly space: Space;
  readonly admission: Admission;
  readonly reserve: Reserve;
  readonly durability: Durability;
  readonly backups: Backups;
  readonly purging: Purging;
  readonly #dryRuns: DryRuns;
  readonly #reclaimer: Reclaimer;
  readonly #recounting: Recounting;
  readonly #check: IndexCheck;
  readonly #indexPath: string;
  readonly #visited: Visited;
  readonly #log: Logger;
  readonly #timers: readonly NodeJS.Timeout[];
  #isStopped = false;
  #reserving: Promise<void> = Promise.resolve();
  #hasReserve = true;
  /** Entries evicted over the life of the store, before it was opened. */
  readonly #evictedBefore: number;

  /** Opens the files. Throws a CannotRunError when they do not allow it. */
  static async open(options: OpenOptions): Promise<OpenStore> {
    const { directory, settings, log, now } = options;
    await makeRoomToOpen(directory, settings.storeBytesMax, log);
    const visited = await Visited.load(join(directory.path, 'visited'), log, options.visitedMemory);
    const writeBufferBytes = writeBufferBytesFor(settings.storeBytesMax);
    const opened = await openIndexChecked(directory, writeBufferBytes);
    const { index, lost: lostChanges } = opened;
    if (lostChanges !== undefined) tellLost(lostChanges, log);
    if (opened.damagedTables.length > 0)
      log.error({ tables: opened.damagedTables }, DAMAGED_RECORDS);
    const durability = new Durability({
      mode: settings.durability,
      indexPath: directory.indexPath,
      segmentsPath: directory.segmentsPath,
      log,
      onRetire: options.onRetire,
      now,
    });
    try {
      const entries = await EntryStore.load(index, {
        now,
        barrier: durability,
        visited,
        lostChanges: lostChanges !== undefined,
        gone: options.gone,
        guard: options.guard,
      });
      entries.onFailure = options.onFailure;
      const { hasWriter, lost } = options;
      const files = await surveySegmentFiles(directory, entries.segments, hasWriter, log, lost);
      await entries.settleSegments(files.sizes);
      for (const [id, cause] of files.lost) entries.noteLost(id, cause);
      const space = spaceFor(options, entries);
      await space.measure();
      const store = new OpenStore(options, {
        entries,
        durability,
        visited,
        space,
        lost: files.lost,
        unchecked: opened.unchecked,
      });
      return store;
    } catch (error) {
      // An index that cannot be used is closed again, so that a later attempt can open it.
      await index.close();
      throw error;
    }
  }

  private constructor(
    { directory, settings, log, now, onDrop }: OpenOptions,
    { entries, durability, visited, space, lost, unchecked }: Opened,
  ) {
    const { indexPath, segmentsPath } = directory;
    const { storeBytesMax, segmentBytes } = settings;
    this.entries = entries;
    this.#evictedBefore = entries.evicted;
    this.durability = durability;
    this.#visited = visited;
    this.#log = log;
    this.#indexPath = indexPath;
    const jobs = new JobPool();
    this.jobs = jobs;
    this.reserve = new Reserve(directory, storeBytesMax);
    this.hand = new Hand({
      store: entries,
      jobs,
      indexPath,
      entriesPerSecond: settings.handEntriesPerSecond,
      log,
      now,
    });
    const pins = new Pins();
    this.deadSegments = new DeadSegments({
      store: entries,
      jobs,
      indexPath,
      segmentsPath,
      log,
      pins,
      onDrop,
    });
    this.#dryRuns = new DryRuns({ store: entries, jobs, indexPath, now, log });
    const { hand, deadSegments } = this;
    this.purging = new Purging({ entries, hand, deadSegments, dryRuns: this.#dryRuns });
    this.#recounting = new Recounting({ store: entries, jobs, indexPath, log });
    this.#check = new IndexCheck({ jobs, indexPath, tables: unchecked, log });
    this.backups = new Backups({ store: entries, jobs, pins, directory, log });
    this.space = space;
    this.admission = new Admission({
      space: this.space,
      headroomBytes: segmentBytes,
      onWaiting: () => this.#reclaimer.wake(),
    });
    this.#reclaimer = new Reclaimer({
      store: entries,
      space: this.space,
      admission: this.admission,
      deadSegments: this.deadSegments,
      reclaim: new SegmentReclaim({
        store: entries,
        jobs,
        indexPath,
        segmentsPath,
        segmentBytes,
        visited,
        roomBytes: () => -this.space.missingFor(0),
        bytesPerSecondMax: settings.reclaimBytesPerSecond,
        log,
        now,
      }),
      aheadBytes: Math.min(settings.workers, 4) * segmentBytes,
      garbagePercent: settings.reclaimGarbagePercent,
      lost: new LostSegments({ store: entries, jobs, indexPath, log }, lost),
      pins,
      segmentsPath,
      log,
    });
    this.#timers = [
      setInterval(() => void visited.save(), SAVE_VISITED_EVERY_MS),
      setInterval(() => this.#keepReserve(), MAKE_RESERVE_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** What has been done since it was opened. */
  get counts(): StoreCounts {
    const { given, handedOver, lost, refused } = this.entries.leases.counts;
    return {
      evicted: Math.max(0, this.entries.evicted - this.#evictedBefore),
      ...this.#reclaimer.counts,
      ...this.deadSegments.counts,
      ...this.hand.counts,
      ...this.durability.counts,
      leasesGiven: given,
      leasesHandedOver: handedOver,
      leasesLost: lost,
      leasesRefused: refused,
    };
  }

  /** Begins what writes depend on. */
  start(): void {
    this.durability.start(this.entries);
  }

  /** Begins the work in the background, once. */
  beginWork(): void {
    this.hand.start();
    this.deadSegments.start();
    this.#reclaimer.start();
    this.#recounting.start();
    this.#check.start();
    this.#keepReserve();
  }

  /**
   * Ends what works in the background; entries can still be read and written. With `isHurried` jobs
   * that take long are cut off.
   */
  async stopWork(isHurried = false): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.admission.close(this.entries.failure ?? new BigCacheError('STORE_CLOSED'));
    const ending = Promise.all([
      this.backups.stop(),
      this.hand.stop(),
      this.#dryRuns.stop(),
      this.#recounting.stop(),
      this.#check.stop(),
      this.deadSegments.stop(),
      this.#reclaimer.stop(),
      this.#reserving,
    ]).then(() => this.jobs.close());
    await (isHurried ? this.jobs.endWithin(JOBS_END_MS, ending) : ending);
    await this.#visited.save();
  }

  /** Ends everything and closes the files. */
  async close(): Promise<void> {
    await this.stopWork();
    await this.closeFiles();
  }

  /** REQUIRES: the work in the background has ended. */
  async closeFiles(): Promise<void> {
    // The first to open the index closes it last.
    await this.entries.close();
    await this.durability.stop();
    // Without its seal the index is only opened with less knowledge of what it should be.
    await sealIndex(this.#indexPath).catch((error: unknown) => {
      this.#log.warn({ err: error }, 'the closed index could not be sealed');
    });
  }

  /** Makes the reserve where it is missing: it is given up for a full disk, which has room again later. */
  #keepReserve(): void {
    this.#reserving = this.#reserving.then(async () => {
      try {
        const isThere = await this.#makeReserve();
        if (!isThere && this.#hasReserve) this.#log.warn('there is no room for a reserve');
        this.#hasReserve = isThere;
      } catch (error) {
        this.#log.warn({ err: error }, 'there is no reserve for a full disk');
      }
    });
  }

  /** Whether there is a reserve now. */
  async #makeReserve(): Promise<boolean> {
    if (await this.reserve.isWhole()) return true;
    // One of another limit may be larger than all that this one allows.
    if (await this.reserve.giveUp()) await this.space.measure();
    if (!this.space.hasRoomForReserve) return false;
    return await this.reserve.make(() => !this.#isStopped && this.entries.failure === undefined);
  }
}

function spaceFor({ directory, settings }: OpenOptions, entries: EntryStore): Space {
  const { storeBytesMax, freeBytesMin } = settings;
  return new Space({
    directory,
    storeBytesMax,
    freeBytesMin,
    indexSlackBytes: INDEX_SLACK_WRITE_BUFFERS * writeBufferBytesFor(storeBytesMax),
    reserveBytes: reserveBytesFor(storeBytesMax),
    segmentBytes: () => entries.segmentBytes,
    unwrittenBytes: () => entries.unwrittenBytes,
  });
}

/** An index cannot be opened on a full disk, not even for what would make room there. */
async function makeRoomToOpen(
  directory: StoreDirectory,
  storeBytesMax: number,
  log: Logger,
): Promise<void> {
  if (await hasRoom(directory, reopenRoomBytesFor(storeBytesMax))) return;
  if (await new Reserve(directory, storeBytesMax).giveUp()) {
    log.warn('the reserve is given up for a full disk, so that the index can be opened');
  }
}

function tellLost({ bytes, causes, keptIn }: LostChanges, log: Logger): void {
  log.error(
    { bytes, causes, keptIn },
    'part of the log of the index was damaged: the latest changes before the last stop may be ' +
      'lost, so entries may be missing or older, and deleted ones may be back; counting again',
  );
}
