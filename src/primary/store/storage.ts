/**
 * The store as a whole, open or closed: the index with its entries, the hand, the removal of dead
 * segments and the job threads, started and stopped in the order that they need.
 */
import { statfs } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Config } from '../../protocol/config.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import type { StoreDirectory } from '../directory/directory.ts';
import { JobPool } from '../jobs/job-pool.ts';
import { EntryStore } from './entry-store.ts';
import { openIndex } from './index/index-files.ts';
import { DeadSegments } from './space/dead-segments.ts';
import { Hand } from './space/hand.ts';
import { quarantineStrays } from './space/stray-segments.ts';

/** Room that LevelDB needs to open the index again: its log becomes a table, and a new log begins. */
const REOPEN_ROOM_BYTES = 64 * 1024 * 1024;

/** The options of the server that are about the store. */
export type StoreSettings = Pick<
  Config,
  | 'storeBytesMax'
  | 'freeBytesMin'
  | 'segmentBytes'
  | 'durability'
  | 'reclaimGarbagePercent'
  | 'reclaimBytesPerSecond'
  | 'handEntriesPerSecond'
>;

export interface StorageOptions {
  readonly directory: StoreDirectory;
  readonly settings: StoreSettings;
  readonly log: Logger;
  readonly now?: () => number;
  /** Tells every worker to give up its descriptor of a segment. */
  readonly onDrop: (segment: number) => void;
  /** Has every worker seal its segments; awaited before the files are closed. */
  readonly sealAll: () => Promise<void>;
}

/** What runs while the store is open. */
interface Running {
  readonly entries: EntryStore;
  readonly jobs: JobPool;
  readonly hand: Hand;
  readonly deadSegments: DeadSegments;
}

export class Storage {
  readonly #options: StorageOptions;
  #running: Running | undefined;
  /** Whether the workers are sealing for a close: until it ends, none is granted a segment. */
  #isSealing = false;
  /** Opening and closing take turns. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(options: StorageOptions) {
    this.#options = options;
  }

  /** Opens the store. Throws a CannotRunError when its files do not allow it. */
  static async open(options: StorageOptions): Promise<Storage> {
    const storage = new Storage(options);
    storage.#running = await storage.#start();
    return storage;
  }

  /** The entries. Throws STORE_CLOSED while the store is closed. */
  get entries(): EntryStore {
    if (this.#running === undefined) throw new BigCacheError('STORE_CLOSED');
    return this.#running.entries;
  }

  /** Throws STORE_CLOSED, or what writes are refused with since one failed. */
  checkWritable(): void {
    const { failure } = this.entries;
    if (failure !== undefined) throw failure;
  }

  get isOpen(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Grants `writer` a new segment. Throws STORE_CLOSED also while the workers seal: under steady
   * writing they would never be done otherwise.
   */
  async grantSegment(writer: number): Promise<number> {
    if (this.#isSealing) throw new BigCacheError('STORE_CLOSED');
    return await this.entries.grantSegment(writer);
  }

  /** Purges a prefix at once; resolves with the number of readable entries it took, when counted. */
  async deletePrefix(prefix: string): Promise<number> {
    const { entries, hand } = this.#opened();
    const purge = await entries.purge(prefix);
    await hand.workOff(purge);
    if (entries.pendingPurges.includes(purge)) {
      throw entries.failure ?? new BigCacheError('STORE_CLOSED');
    }
    return purge.matched;
  }

  /** Removes everything at once; the space is given back in the background. */
  async clear(): Promise<void> {
    const { entries, hand, deadSegments } = this.#opened();
    const purge = await entries.purge('');
    void hand.workOff(purge);
    void deadSegments.sweep();
  }

  /**
   * Closes the store until `open`. Throws DISK_FULL where the index has failed for lack of room: it
   * could not be opened again, which would end the reads too.
   */
  async closeForCopy(): Promise<void> {
    const isFull = this.#running?.entries.failure !== undefined && (await this.#hasNoRoom());
    if (isFull) throw new BigCacheError('DISK_FULL');
    await this.close();
  }

  async #hasNoRoom(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#options.directory.path);
    return bavail * bsize < REOPEN_ROOM_BYTES;
  }

  /** Closes all files. A store that is closed stays so. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      const running = this.#running;
      if (running === undefined) return;
      // What has its place in a segment is still committed; nothing new gets one.
      this.#isSealing = true;
      try {
        await this.#options.sealAll();
      } finally {
        this.#isSealing = false;
      }
      this.#running = undefined;
      await running.hand.stop();
      await running.deadSegments.stop();
      await running.jobs.close();
      // The first to open the index closes it last.
      await running.entries.close();
    });
  }

  /**
   * Opens a closed store. A store that is open stays so. Throws STORE_FAILED when its files do not
   * allow it; it can be tried again.
   */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        this.#running ??= await this.#start();
      } catch (cause) {
        throw new BigCacheError('STORE_FAILED', undefined, { cause });
      }
    });
  }

  #opened(): Running {
    if (this.#running === undefined) throw new BigCacheError('STORE_CLOSED');
    return this.#running;
  }

  async #start(): Promise<Running> {
    const { directory, log, onDrop, settings } = this.#options;
    const now = this.#options.now ?? Date.now;
    const { indexPath, segmentsPath } = directory;
    const entries = await this.#load(now);
    const jobs = new JobPool();
    const hand = new Hand({
      store: entries,
      jobs,
      indexPath,
      entriesPerSecond: settings.handEntriesPerSecond,
      log,
      now,
    });
    const deadSegments = new DeadSegments({
      store: entries,
      jobs,
      indexPath,
      segmentsPath,
      log,
      onDrop,
    });
    hand.start();
    deadSegments.start();
    return { entries, jobs, hand, deadSegments };
  }

  /** An index that cannot be used is closed again, so that a later attempt can open it. */
  async #load(now: () => number): Promise<EntryStore> {
    const { directory, log } = this.#options;
    const index = await openIndex(directory);
    try {
      const entries = await EntryStore.load(index, now);
      await quarantineStrays(directory, entries.segments, log);
      return entries;
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
