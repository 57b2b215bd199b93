/**
 * What the primary does when the index takes no more writes: it goes on serving reads, makes room
 * without writing to the index, and opens the index again once that can succeed. LevelDB may lose what
 * is written through a handle on which a write has failed (docs/decisions), and an index on a full
 * disk cannot be opened, so neither going on nor closing first would do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { BigCacheError } from '../../protocol/errors.ts';
import { loggedKey } from '../../protocol/logged-key.ts';
import type { StoreDirectory } from '../directory/directory.ts';
import { damageFoundIn } from './index/index-inspection.ts';
import type { OpenStore } from './open-store.ts';
import { ReopenRoom } from './reopen-room.ts';
import { isLackOfRoom } from './room.ts';
import { roomGivers } from './space/room-givers.ts';
import { keysIn } from './space/segment-keys.ts';

export interface HealingOptions {
  readonly directory: StoreDirectory;
  readonly log: Logger;
  /** Bytes that must be free when the index is opened again. */
  readonly roomBytes: number;
  /** The store that has failed; undefined once it is closed and could not be opened again yet. */
  readonly current: () => OpenStore | undefined;
  /** Whether the store is closed on purpose: then there is nothing to heal. */
  readonly isClosed: () => boolean;
  /**
   * Closes the failed store and opens it again, once `release` has given room back; as often as that
   * says that there is more.
   */
  readonly reopen: (release: () => Promise<boolean>) => Promise<void>;
}

/** A disk that is full is looked at this often. */
const LOOK_EVERY_MS = 500;
/** Other failures are tried again after a pause that doubles. */
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 30_000;

export class Healing {
  readonly #options: HealingOptions;
  #running: Promise<void> | undefined;
  /** The store that failed, closed or not: what it knows of its segments stays true. */
  #failed: OpenStore | undefined;

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
    const { log, isClosed, directory, roomBytes } = this.#options;
    const startedAt = performance.now();
    const failure = this.#options.current()?.entries.failure;
    log.error({ err: failure?.cause ?? failure }, 'the index takes no writes; reads go on');
    const room = new ReopenRoom(directory, roomBytes);
    try {
      await this.#tryUntilHealed(room);
    } finally {
      this.#failed = undefined;
      await room.drop().catch((error: unknown) => {
        log.warn({ err: error }, 'the room held for the index is not given back before a restart');
      });
    }
    if (isClosed()) return;
    const tookMs = Math.round(performance.now() - startedAt);
    log.info({ tookMs }, 'the index takes writes again');
  }

  async #tryUntilHealed(room: ReopenRoom): Promise<void> {
    const { log, isClosed, reopen } = this.#options;
    let pauseMs = PAUSE_MIN_MS;
    while (this.#isSick() && !isClosed()) {
      this.#failed = this.#options.current() ?? this.#failed;
      try {
        if (await this.#isReady(room)) await reopen(() => room.release());
        else pauseMs = LOOK_EVERY_MS;
      } catch (error) {
        log.error({ err: error }, 'the index could not be opened again; it is tried again');
      }
      if (!this.#isSick()) return;
      await sleep(pauseMs, undefined, { ref: false });
      pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
    }
  }

  #isSick(): boolean {
    const current = this.#options.current();
    return current === undefined || current.entries.failure !== undefined;
  }

  /**
   * Whether opening the index again can succeed; makes the room that it needs, and holds it. Throws
   * what the disk answers, or a DamagedFilesError for an index that no opening would accept: as long
   * as it stays open, it can be read.
   */
  async #isReady(room: ReopenRoom): Promise<boolean> {
    const { directory, current } = this.#options;
    if (current() !== undefined) {
      const damage = await damageFoundIn(directory.indexPath);
      if (damage !== undefined) throw damage;
    }
    if (await room.hold()) return true;
    if (this.#failed !== undefined) await this.#makeRoom(this.#failed, room);
    return await room.hold();
  }

  /** Dead segments first, then the reserve, then the oldest entries. */
  async #makeRoom(failed: OpenStore, room: ReopenRoom): Promise<void> {
    const { log, current } = this.#options;
    // What a backup holds is not given back, and its own copies may be what fills the disk.
    await failed.backups.stop();
    if (current() !== undefined) {
      try {
        await failed.deadSegments.unlinkUnmarked();
      } catch (error) {
        if (!(error instanceof BigCacheError))
          log.warn({ err: error }, 'dead segments stay for now');
      }
      if (await room.hold()) return;
    }
    if (await failed.reserve.giveUp()) log.warn('the reserve is given up for a full disk');
    if (isLackOfRoom(failed.entries.failure)) await this.#evictOldest(failed, room);
  }

  /**
   * Unlinks the oldest segments whole. Their entries are misses at once; that they were evicted is
   * written down when the index takes writes again.
   */
  async #evictOldest(failed: OpenStore, room: ReopenRoom): Promise<void> {
    const { log, directory } = this.#options;
    const { entries, deadSegments } = failed;
    const givers = roomGivers(directory.segmentsPath, entries.segments.values());
    for await (const { id, records } of givers) {
      if (await room.hold()) return;
      if (entries.lost.has(id)) continue;
      await this.#nameEntriesOf(id);
      await entries.loseSegment(id, 'evicted');
      await deadSegments.unlink(id);
      log.warn({ segment: id, entries: records }, 'entries are evicted to make room for the index');
    }
  }

  /** Before they go, so that whoever reads the log can tell an eviction from a loss. */
  async #nameEntriesOf(segment: number): Promise<void> {
    const { log, directory } = this.#options;
    if (!log.isLevelEnabled('trace')) return;
    for await (const keys of keysIn(directory.segmentsPath, segment)) {
      log.trace({ evicting: keys.map(loggedKey) }, 'evicting');
    }
  }
}
