/**
 * What the primary does when the index takes no more writes: it goes on serving reads, makes room
 * without writing to the index, and opens the index again once that can succeed. LevelDB may lose what
 * is written through a handle on which a write has failed (docs/decisions), and an index on a full
 * disk cannot be opened, so neither going on nor closing first would do.
 */
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { BigCacheError } from '../../protocol/errors.ts';
import type { StoreDirectory } from '../directory/directory.ts';
import type { OpenStore } from './open-store.ts';
import { freeBytesOf, hasRoomToReopen, REOPEN_ROOM_BYTES } from './room.ts';
import { SegmentState } from './segment-stats.ts';

export interface HealingOptions {
  readonly directory: StoreDirectory;
  readonly log: Logger;
  /** The store that has failed; undefined once it is closed and could not be opened again yet. */
  readonly current: () => OpenStore | undefined;
  /** Whether the store is closed on purpose: then there is nothing to heal. */
  readonly isClosed: () => boolean;
  readonly reopen: () => Promise<void>;
}

/** A disk that is full is looked at this often. */
const LOOK_EVERY_MS = 500;
/** Other failures are tried again after a pause that doubles. */
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 30_000;
const PROBE_BYTES = 1024 * 1024;

export class Healing {
  readonly #options: HealingOptions;
  #running: Promise<void> | undefined;

  constructor(options: HealingOptions) {
    this.#options = options;
  }

  /** Begins to heal, unless that is under way. */
  begin(): void {
    this.#running ??= this.#heal().finally(() => {
      this.#running = undefined;
      // The new index may have failed before this one was through.
      if (this.#isSick() && !this.#options.isClosed()) this.begin();
    });
  }

  async #heal(): Promise<void> {
    const { log, isClosed } = this.#options;
    const startedAt = performance.now();
    const failure = this.#options.current()?.entries.failure;
    log.error({ err: failure?.cause ?? failure }, 'the index takes no writes; reads go on');
    let pauseMs = PAUSE_MIN_MS;
    while (this.#isSick() && !isClosed()) {
      try {
        if (await this.#isReady()) await this.#options.reopen();
        else pauseMs = LOOK_EVERY_MS;
      } catch (error) {
        log.error({ err: error }, 'the index could not be opened again; it is tried again');
      }
      if (!this.#isSick()) break;
      await sleep(pauseMs, undefined, { ref: false });
      pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
    }
    if (isClosed()) return;
    const tookMs = Math.round(performance.now() - startedAt);
    log.info({ tookMs }, 'the index takes writes again');
  }

  #isSick(): boolean {
    const current = this.#options.current();
    return current === undefined || current.entries.failure !== undefined;
  }

  /** Whether opening the index again can succeed; makes the room that it needs. */
  async #isReady(): Promise<boolean> {
    const { directory, log, current } = this.#options;
    const failed = current();
    if (!(await hasRoomToReopen(directory)) && failed !== undefined) await this.#makeRoom(failed);
    if (!(await hasRoomToReopen(directory))) return false;
    return await this.#probe().catch((error: unknown) => {
      log.debug({ err: error }, 'the disk of the index still takes no writes');
      return false;
    });
  }

  /** Whether the file system takes a write and keeps it: closing the index is only then worth it. */
  async #probe(): Promise<boolean> {
    const path = join(this.#options.directory.path, '.probe');
    const file = await open(path, 'w');
    try {
      await file.write(Buffer.alloc(PROBE_BYTES));
      await file.sync();
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
    return true;
  }

  /** Dead segments first, then the reserve, then the oldest entries. */
  async #makeRoom(failed: OpenStore): Promise<void> {
    const { directory, log } = this.#options;
    // What a backup holds is not given back, and its own copies may be what fills the disk.
    await failed.backups.stop();
    try {
      await failed.deadSegments.unlinkUnmarked();
    } catch (error) {
      if (!(error instanceof BigCacheError)) log.warn({ err: error }, 'dead segments stay for now');
    }
    if (await hasRoomToReopen(directory)) return;
    if (await failed.reserve.giveUp()) log.warn('the reserve is given up for a full disk');
    if (await hasRoomToReopen(directory)) return;
    if (isLackOfRoom(failed.entries.failure)) await this.#evictOldest(failed);
  }

  /**
   * Unlinks the oldest segments whole. Their entries are misses at once; that they were evicted is
   * written down when the index takes writes again.
   */
  async #evictOldest(failed: OpenStore): Promise<void> {
    const { directory, log } = this.#options;
    const { entries, deadSegments } = failed;
    const oldestFirst = [...entries.segments.values()]
      .filter(({ state, records }) => state === SegmentState.sealed && records > 0)
      .sort((one, other) => one.agedFromMs - other.agedFromMs || one.id - other.id);
    for (const { id, records } of oldestFirst) {
      if ((await freeBytesOf(directory)) >= REOPEN_ROOM_BYTES) return;
      if (entries.isLost(id)) continue;
      entries.noteLost(id);
      await deadSegments.unlink(id);
      log.warn({ segment: id, entries: records }, 'entries are evicted to make room for the index');
    }
  }
}

function isLackOfRoom(failure: Error | undefined): boolean {
  return failure instanceof BigCacheError && failure.code === 'DISK_FULL';
}
