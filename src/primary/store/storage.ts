/**
 * The store as a whole, as the rest of the primary sees it: open, closed, or being opened again after
 * its index took no more writes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { BigCacheError } from '../../protocol/errors.ts';
import { type Coherence, NOBODY_HOLDS } from '../coherence/coherence.ts';
import type { StoreDirectory } from '../directory/directory.ts';
import type { BackupRequest, BackupResult } from './backup/backups.ts';
import type { EntryStore, Unused } from './entry-store.ts';
import { Healing } from './healing.ts';
import { OpenStore, type StoreSettings } from './open-store.ts';
import { GoneEntries } from './purges/gone-entries.ts';
import type { Purging } from './purges/purging.ts';
import { hasRoom, reopenRoomBytesFor } from './room.ts';
import type { LossCause } from './segment-stats.ts';
import { RECLAIM_WRITER } from './space/copy-targets.ts';
import { Visited } from './space/visited.ts';
import { StoreReport, type StoreStatistics } from './store-report.ts';
import { WriterSegments } from './writer-segments.ts';

export type { StoreSettings } from './open-store.ts';

export interface StorageOptions {
  readonly directory: StoreDirectory;
  readonly settings: StoreSettings;
  readonly log: Logger;
  readonly now?: () => number;
  /** Tells every worker to give up its descriptor of a segment. */
  readonly onDrop: (segment: number) => void;
  /** Tells every worker to write nothing more to a segment: it cannot be synced. */
  readonly onRetire: (segment: number) => void;
  /** Has every worker seal its segments; awaited before the files are closed. */
  readonly sealAll: () => Promise<void>;
  /** Has workers drop the records that they hold; left out where they hold none. */
  readonly coherence?: Coherence;
  /** Whether what works in the background waits for `beginWork`: a start has better things to do. */
  readonly isWorkHeld?: boolean;
}

/** Reads wait this long for an index that is being opened again. */
const READS_HELD_MS = 1000;

/** A change of the store's files that is made while they are closed. */
export interface FilesChange {
  /** Makes it; `unused` says which numbers the store that was closed has not given. */
  apply(unused: Unused): Promise<void>;
  /** Takes it back, however far it got. */
  undo(): Promise<void>;
}

export class Storage {
  readonly #options: StorageOptions;
  readonly #healing: Healing;
  readonly #report: StoreReport;
  /** It outlives closing and healing, but not the process. */
  readonly #gone: GoneEntries;
  /** It outlives them too: V8 collects pieces of this size late, and several were held at a time. */
  readonly #visitedMemory = Visited.memory();
  #open: OpenStore | undefined;
  /** Whether the store is closed on purpose. */
  #isClosed = false;
  /** Resolves when an index that is being opened again can be read, or when that has failed. */
  #reopening: Promise<void> | undefined;
  readonly #segments: WriterSegments;
  /** Bytes that must be free when the index is opened again. */
  readonly #roomBytes: number;
  /** Segments that the store which failed had given up, and why. */
  #lost: ReadonlyMap<number, LossCause> | undefined;
  #isWorkHeld: boolean;
  /** Lets workers hold records again, since the store was closed or its index has failed. */
  #resume: (() => void) | undefined;
  /** Opening and closing take turns. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(options: StorageOptions) {
    this.#options = options;
    this.#isWorkHeld = options.isWorkHeld ?? false;
    this.#gone = new GoneEntries((options.now ?? Date.now)());
    this.#roomBytes = reopenRoomBytesFor(options.settings.storeBytesMax);
    this.#report = new StoreReport(options.settings.storeBytesMax);
    this.#segments = new WriterSegments({
      segmentsPath: options.directory.segmentsPath,
      opened: () => this.#opened(),
    });
    this.#healing = new Healing({
      directory: options.directory,
      log: options.log,
      roomBytes: this.#roomBytes,
      current: () => this.#open,
      isClosed: () => this.#isClosed,
      reopen: (release) => this.#reopen(release),
    });
  }

  /** Opens the store. Throws a CannotRunError when its files do not allow it. */
  static async open(options: StorageOptions): Promise<Storage> {
    const storage = new Storage(options);
    await storage.#startAfresh();
    return storage;
  }

  /** Begins the work in the background, where `isWorkHeld` had it wait. */
  beginWork(): void {
    if (!this.#isWorkHeld) return;
    this.#isWorkHeld = false;
    this.#open?.beginWork();
  }

  /** The entries. Throws STORE_CLOSED while the store is closed, STORE_FAILED while it is reopened. */
  get entries(): EntryStore {
    return this.#opened().entries;
  }

  /**
   * Throws STORE_CLOSED, what writes are refused with since one failed, or what a segment could not
   * be synced for within the last 30 s.
   */
  checkWritable(): void {
    const { entries, durability } = this.#opened();
    const failure = entries.failure ?? durability.failure;
    if (failure !== undefined) throw failure;
  }

  /** What is counted and measured, also while the store is closed. */
  get statistics(): StoreStatistics {
    return this.#report.of(this.#open, () => this.checkWritable());
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** While the index is being opened again: resolves when it is to be read, after a second at most. */
  get readable(): Promise<void> | undefined {
    return this.#reopening;
  }

  /**
   * Grants `writer` a new segment of at most `bytes`. Rejects with DISK_FULL when there was no room in
   * time, with STORE_CLOSED also while the workers seal: under steady writing they would never be done
   * otherwise.
   */
  grantSegment(writer: number, bytes: number): Promise<number> {
    return this.#segments.grant(writer, bytes);
  }

  /** Lets an open segment of `writer` grow up to `bytes` in all. Rejects like `grantSegment`. */
  extendSegment(writer: number, segment: number, bytes: number): Promise<void> {
    return this.#segments.extend(writer, segment, bytes);
  }

  /** Seals a segment of `writer`; now, or when the index takes writes again. */
  sealSegment(writer: number, segment: number, fileBytes: number): Promise<void> {
    return this.#segments.seal(writer, segment, fileBytes);
  }

  /** Seals what a worker left open when it died; now, or when the index takes writes again. */
  sealSegmentsOf(writer: number): Promise<void> {
    return this.#segments.sealAllOf(writer);
  }

  /** Whether the index may grow by what no grant of a segment bounds. Throws as `entries` does. */
  get hasRoom(): boolean {
    return this.#opened().space.missingFor(0) <= 0;
  }

  /** Purges. Throws as `entries` does. */
  get purging(): Purging {
    return this.#opened().purging;
  }

  /** See Purging. */
  async deletePrefix(prefix: string): Promise<number> {
    return await this.purging.deletePrefix(prefix);
  }

  /** See Purging. */
  async clear(): Promise<void> {
    await this.purging.clear();
  }

  /**
   * Closes the store until `open`. Throws DISK_FULL where the index has failed for lack of room: it
   * could not be opened again, which would end the reads too.
   */
  async closeForCopy(): Promise<void> {
    const hasFailed = this.#open?.entries.failure !== undefined;
    if (hasFailed && !(await hasRoom(this.#options.directory, this.#roomBytes))) {
      throw new BigCacheError('DISK_FULL');
    }
    await this.close();
  }

  /** Makes a backup while reads and writes go on; see Backups. */
  async backUp(request: BackupRequest): Promise<BackupResult> {
    return await this.#opened().backups.run(request);
  }

  /** Closes all files. A store that is closed stays so. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#shut());
  }

  /**
   * Closes the store, has its files changed and opens it again; nobody else opens it meanwhile. When
   * the change fails, or the store cannot be opened after it, it is undone and the store opened as it
   * was, and the failure is thrown.
   */
  replaceFiles(change: FilesChange): Promise<void> {
    return this.#inTurn(async () => {
      const { entries } = this.#opened();
      await this.#shut();
      try {
        await change.apply(entries.unused);
        await this.#startAfresh();
        this.#isClosed = false;
      } catch (error) {
        await change.undo();
        await this.#startAfresh();
        this.#isClosed = false;
        throw error;
      }
    });
  }

  async #shut(): Promise<void> {
    const open = this.#open;
    if (open === undefined) {
      this.#isClosed = true;
      return;
    }
    await this.#suspendHolding();
    // What has its place in a segment is still committed; nothing new gets one.
    await this.#segments.whileSealing(() => this.#options.sealAll());
    this.#isClosed = true;
    this.#report.retire(open);
    this.#open = undefined;
    await open.close();
  }

  /**
   * Opens a closed store. A store that is open stays so. Throws STORE_FAILED when its files do not
   * allow it; it can be tried again.
   */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        if (this.#open === undefined) await this.#startAfresh();
        this.#isClosed = false;
      } catch (cause) {
        throw new BigCacheError('STORE_FAILED', undefined, { cause });
      }
    });
  }

  #opened(): OpenStore {
    if (this.#open !== undefined) return this.#open;
    throw new BigCacheError(this.#isClosed ? 'STORE_CLOSED' : 'STORE_FAILED');
  }

  async #start(
    hasWriter: (writer: number) => boolean,
    lost: ReadonlyMap<number, LossCause> = new Map(),
  ): Promise<OpenStore> {
    const { directory, settings, log, onDrop, onRetire, now, coherence } = this.#options;
    const open = await OpenStore.open({
      directory,
      settings,
      log,
      onDrop,
      onRetire,
      now: now ?? Date.now,
      hasWriter,
      lost,
      gone: this.#gone,
      guard: coherence ?? NOBODY_HOLDS,
      visitedMemory: this.#visitedMemory,
      onFailure: () => {
        this.#report.noteFailure();
        this.#healing.begin();
      },
    });
    try {
      await this.#segments.settle(open.entries);
    } catch (error) {
      // Whoever opened an index that stays open would share its handle, and what it has failed at.
      await open.close();
      throw error;
    }
    open.start();
    if (!this.#isWorkHeld) open.beginWork();
    return open;
  }

  /**
   * Closes a failed index and opens it again. Reads are held meanwhile, writes refused; living workers
   * go on with the segments that they have open.
   */
  #reopen(release: () => Promise<boolean>): Promise<void> {
    return this.#inTurn(async () => {
      const failed = this.#open;
      // Whoever closed it and opened it meanwhile has healed it.
      const isHealed = failed !== undefined && failed.entries.failure === undefined;
      if (this.#isClosed || isHealed) return;
      // Jobs may take a moment to end, in which the failed index can still be read.
      await failed?.stopWork(true);
      await this.#suspendHolding();
      const opening = this.#openAgain(failed, release);
      const held = Promise.race([opening.catch(() => undefined), sleep(READS_HELD_MS)]);
      this.#reopening = held.then(() => undefined);
      try {
        await opening;
      } finally {
        this.#reopening = undefined;
      }
      await this.#segments.settleMissed();
    });
  }

  async #openAgain(failed: OpenStore | undefined, release: () => Promise<boolean>): Promise<void> {
    if (failed !== undefined) this.#report.retire(failed);
    this.#open = undefined;
    this.#lost = failed?.entries.lost ?? this.#lost;
    await failed?.closeFiles();
    for (;;) {
      const isMoreHeld = await release();
      try {
        const gone = this.#segments.goneWriters;
        const isAlive = (writer: number): boolean =>
          writer !== RECLAIM_WRITER && !gone.includes(writer);
        this.#open = await this.#start(isAlive, this.#lost);
        // The opening has sealed what they left.
        this.#segments.forgetWriters(gone);
        this.#resumeHolding();
        return;
      } catch (error) {
        if (!isMoreHeld) throw error;
      }
    }
  }

  /** Opens the files for workers that have no segment open: whatever is open in the index is sealed. */
  async #startAfresh(): Promise<void> {
    this.#segments.forgetAll();
    this.#open = await this.#start(() => false);
    this.#resumeHolding();
    await this.#segments.settleMissed();
  }

  /** Another index may be opened in place of this one: nobody holds anything of it until then. */
  async #suspendHolding(): Promise<void> {
    this.#resume ??= await this.#options.coherence?.suspend();
  }

  #resumeHolding(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
