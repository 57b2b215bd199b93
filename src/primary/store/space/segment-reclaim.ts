/**
 * The reclaiming of one segment: runs the copying job, settles each of its batches in the write lane,
 * and grants it the segments that it copies into.
 */

import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import {
  APPEND_HEADER_BYTES,
  APPEND_STATE_AT,
  AppendState,
  segmentFileName,
} from '../../../segments/format.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import type { CopyAnswer, CopyNews, CopyTarget } from '../../jobs/copy-segment.ts';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import { entryRange } from '../index/index-keys.ts';
import type { Move, SeenAt } from '../operations.ts';
import type { SegmentStats } from '../segment-stats.ts';
import type { Victim } from './victim.ts';
import type { Visited } from './visited.ts';

export interface SegmentReclaimOptions {
  readonly store: EntryStore;
  readonly jobs: Pick<Jobs, 'copySegment' | 'findPointing'>;
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly segmentBytes: number;
  readonly visited: Visited;
  /** While room is not short, no more than this is copied. */
  readonly bytesPerSecondMax: number;
  readonly log: Logger;
  readonly now: () => number;
}

export interface Reclaimed {
  readonly isComplete: boolean;
  /** Where the last append of the segment ended. */
  readonly end: number;
  /** The key of a body that stands alone in the segment and should stay. */
  readonly renew: string | undefined;
  readonly copiedBytes: number;
  readonly evicted: number;
}

/** The writer of copies: no worker ever has this number. */
export const RECLAIM_WRITER = 0xffff_fffe;
/** A purge that a job does not know costs a copy; knowing very many costs more. */
const PURGES_TOLD_MAX = 256;
const MOVES_PER_OPERATION = 512;
const KEY_LOGGED_LENGTH_MAX = 200;

export class SegmentReclaim {
  readonly #options: SegmentReclaimOptions;
  #target: CopyTarget | undefined;
  /** Whether the name of the target's file is on disk. */
  #isNamed = false;
  #isStopped = false;

  constructor(options: SegmentReclaimOptions) {
    this.#options = options;
  }

  /** Has the job under way end after its batch. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Reclaims a segment; `isUrgent` tells whether to go on at full speed. */
  async run(
    stats: Readonly<SegmentStats>,
    keep: Victim['keep'],
    isUrgent: () => boolean,
  ): Promise<Reclaimed> {
    const { store, jobs, indexPath, segmentsPath, visited, now } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const run = new Run(port1, (news) => this.#settle(news, run, isUrgent));
    const purges = store.pendingPurges;
    const copying = jobs.copySegment({
      indexPath,
      segmentsPath,
      segmentPath: this.#pathOf(stats.id),
      segment: stats.id,
      keep,
      fileBytes: stats.fileBytes,
      bytesLive: stats.bytesLive,
      visited: visited.shared,
      nowMs: now(),
      clearVersion: store.clearVersion,
      purges:
        purges.length > PURGES_TOLD_MAX
          ? []
          : purges.map(({ version, prefix }) => ({ version, prefix })),
      port: port2,
    });
    try {
      const result = await copying;
      await run.end();
      // What had its second chance keeps its place before the sweep.
      if (keep === 'chance') await this.#placeTargets(run, stats.agedFromMs);
      return { ...result, copiedBytes: run.copiedBytes, evicted: run.evicted };
    } catch (error) {
      await run.end().catch(() => undefined);
      // How far the job has written is not known.
      await this.#sealTarget();
      throw error;
    }
  }

  /** Seals what was being written, as long as the index takes that. */
  async close(): Promise<void> {
    if (this.#options.store.failure === undefined) await this.#sealTarget();
  }

  /**
   * Removes the records that still point into a segment which has been gone through: those that its
   * file no longer shows, since it is damaged or missing. False when some are left all the same.
   */
  async findRest(segment: number, isDamaged: boolean): Promise<boolean> {
    const { store, jobs, indexPath, log } = this.#options;
    const range = entryRange('');
    let removed = 0;
    for (let at: Uint8Array | undefined = range.gte; at !== undefined && !this.#isStopped; ) {
      const { pointing, next } = await jobs.findPointing({
        indexPath,
        gte: at,
        lt: range.lt,
        segments: [segment],
      });
      removed += (await this.#evict(pointing)).length;
      at = next;
    }
    if (removed > 0) {
      log.error({ segment, entries: removed, isDamaged }, 'entries of a damaged segment are gone');
    }
    return this.#isStopped || (store.segments.get(segment)?.records ?? 0) === 0;
  }

  async #settle(news: CopyNews, run: Run, isUrgent: () => boolean): Promise<CopyAnswer> {
    if (this.#isStopped) return { stop: true };
    if (news.kind === 'target-needed') {
      return { stop: false, target: await this.#targetFor(run) };
    }
    if (this.#target !== undefined && news.copiedBytes > 0) {
      this.#target = { ...this.#target, end: news.targetEnd };
    }
    await this.#move(news.moves);
    run.evicted += (await this.#evict(news.evicted)).length;
    await this.#remove(news.dead);
    if (news.damaged.length > 0) await this.#dropDamaged(news.damaged);
    run.copiedBytes += news.copiedBytes;
    if (!isUrgent()) await sleep((1000 * news.copiedBytes) / this.#options.bytesPerSecondMax);
    return { stop: this.#isStopped };
  }

  async #move(moves: readonly Move[]): Promise<void> {
    const { store, visited, segmentsPath } = this.#options;
    if (moves.length > 0 && !this.#isNamed) {
      await syncDirectory(segmentsPath);
      this.#isNamed = true;
    }
    for (let from = 0; from < moves.length; from += MOVES_PER_OPERATION) {
      const some = moves.slice(from, from + MOVES_PER_OPERATION);
      const refused = await store.move(some);
      for (const { key } of some) visited.clear(key);
      if (refused.length > 0) await this.#voidCopies(refused);
    }
  }

  /** Copies that no record took must not come back as entries when the index is made anew. */
  async #voidCopies(moves: readonly Move[]): Promise<void> {
    for (const { key, to } of moves) {
      const file = await open(this.#pathOf(to.segment), 'r+');
      try {
        const at = to.offset - Buffer.byteLength(key) - APPEND_HEADER_BYTES;
        await file.write(Buffer.from([AppendState.void]), 0, 1, at + APPEND_STATE_AT);
      } finally {
        await file.close();
      }
    }
  }

  async #evict(seen: readonly SeenAt[]): Promise<readonly SeenAt[]> {
    const { store, log } = this.#options;
    const evicted: SeenAt[] = [];
    for (let from = 0; from < seen.length; from += MOVES_PER_OPERATION) {
      const some = seen.slice(from, from + MOVES_PER_OPERATION);
      if (log.isLevelEnabled('trace')) {
        // Before they go, so that whoever reads the log can tell an eviction from a loss.
        const keys = some.map(({ key }) => key.slice(0, KEY_LOGGED_LENGTH_MAX));
        log.trace({ evicting: keys }, 'evicting');
      }
      evicted.push(...(await store.evict(some)));
    }
    return evicted;
  }

  async #remove(seen: readonly SeenAt[]): Promise<void> {
    for (let from = 0; from < seen.length; from += MOVES_PER_OPERATION) {
      await this.#options.store.removeSeen(seen.slice(from, from + MOVES_PER_OPERATION));
    }
  }

  async #dropDamaged(damaged: readonly SeenAt[]): Promise<void> {
    const { log } = this.#options;
    const keys = damaged.slice(0, 10).map(({ key }) => key.slice(0, KEY_LOGGED_LENGTH_MAX));
    log.error({ entries: damaged.length, keys }, 'damaged entries were found and dropped');
    await this.#remove(damaged);
  }

  /** The target that an earlier job has begun, or, when this one has filled it, a new one. */
  async #targetFor(run: Run): Promise<CopyTarget> {
    const begun = this.#target;
    if (begun !== undefined && run.targets.length === 0) {
      run.targets.push(begun.id);
      return begun;
    }
    await this.#sealTarget();
    const { store, segmentBytes, now } = this.#options;
    const id = await store.grantSegment(RECLAIM_WRITER, segmentBytes);
    const target = { id, writer: RECLAIM_WRITER, createdAtMs: now(), end: 0 };
    this.#target = { ...target, bytesMax: segmentBytes };
    run.targets.push(id);
    this.#isNamed = false;
    return this.#target;
  }

  async #placeTargets(run: Run, agedFromMs: number): Promise<void> {
    for (const id of run.targets) await this.#options.store.placeSegment(id, agedFromMs);
  }

  async #sealTarget(): Promise<void> {
    const target = this.#target;
    if (target === undefined) return;
    this.#target = undefined;
    const { size } = await stat(this.#pathOf(target.id)).catch(() => ({ size: target.end }));
    await this.#options.store.sealSegment(RECLAIM_WRITER, target.id, size);
  }

  #pathOf(segment: number): string {
    return join(this.#options.segmentsPath, segmentFileName(segment));
  }
}

/** The primary's end of one job: answers its news in order. */
class Run {
  copiedBytes = 0;
  evicted = 0;
  /** The segments that were copied into. */
  readonly targets: number[] = [];
  readonly #port: MessagePort;
  #settling: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(port: MessagePort, settle: (news: CopyNews) => Promise<CopyAnswer>) {
    this.#port = port;
    port.on('message', (news: CopyNews) => {
      this.#settling = settle(news).then(
        (answer) => port.postMessage(answer),
        (error: unknown) => {
          this.#failure = error;
          port.postMessage({ stop: true } satisfies CopyAnswer);
        },
      );
    });
  }

  /** Throws what settling a batch has thrown. */
  async end(): Promise<void> {
    await this.#settling;
    this.#port.close();
    if (this.#failure !== undefined) throw this.#failure;
  }
}
