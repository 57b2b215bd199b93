/**
 * The reclaiming of one segment: runs the copying job and settles each of its batches in the write lane.
 * What the job does not find in the file, since that is damaged, is looked for in the index.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Logger } from 'pino';
import { loggedKey } from '../../../protocol/logged-key.ts';
import {
  APPEND_HEADER_BYTES,
  APPEND_STATE_AT,
  AppendState,
  segmentFileName,
} from '../../../segments/format.ts';
import type { CopyAnswer, CopyNews, CopyResult } from '../../jobs/copy-messages.ts';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { SourceFaultKind } from '../../jobs/source-fault.ts';
import type { Move, SeenAt } from '../operations.ts';
import type { SegmentStats } from '../segment-stats.ts';
import { CopyRun } from './copy-run.ts';
import { CopyTargets, type CopyTargetsOptions } from './copy-targets.ts';
import { ENTRIES_PER_OPERATION, evictEntries } from './evict-entries.ts';
import { IndexSearch } from './index-search.ts';
import { RateLimit } from './rate-limit.ts';
import type { Victim } from './victim.ts';
import type { Visited } from './visited.ts';

export interface SegmentReclaimOptions extends CopyTargetsOptions {
  readonly jobs: Pick<Jobs, 'copySegment' | 'findPointing'>;
  readonly indexPath: string;
  readonly visited: Visited;
  /** While room is not short, no more than this is copied. */
  readonly bytesPerSecondMax: number;
  readonly log: Logger;
}

/** `done`: no record points into the segment any more, but for one that is to be renewed. */
export type ReclaimOutcome = 'done' | 'stopped' | 'no-room' | SourceFaultKind;

export interface Reclaimed {
  readonly outcome: ReclaimOutcome;
  /** The key of a body that stands alone in the segment and should stay. */
  readonly renew: string | undefined;
  readonly copiedBytes: number;
  readonly evicted: number;
}

/** A purge that a job does not know costs a copy; knowing very many costs more. */
const PURGES_TOLD_MAX = 256;
/** Moving the record of an entry counts as much as copying this. */
const ENTRY_COST_BYTES = 4096;
/** At most half of a segment is copied: so for each byte that was, it counts as this much smaller. */
const BYTES_FOR_EACH_COPIED = 2;

export class SegmentReclaim {
  readonly #options: SegmentReclaimOptions;
  readonly #targets: CopyTargets;
  readonly #rate: RateLimit;
  /** Ends the wait that holds the copying to its rate. */
  #hurrying = new AbortController();
  #isStopped = false;

  constructor(options: SegmentReclaimOptions) {
    this.#options = options;
    this.#targets = new CopyTargets(options);
    this.#rate = new RateLimit(options.bytesPerSecondMax);
  }

  /** Has the job under way end after its batch. */
  stop(): void {
    this.#isStopped = true;
    this.hurry();
  }

  /** Asks again at once whether it is urgent. */
  hurry(): void {
    this.#hurrying.abort();
    this.#hurrying = new AbortController();
  }

  /** Seals what was being written, as long as the index takes that. */
  async close(): Promise<void> {
    if (this.#options.store.failure === undefined) await this.#targets.seal();
  }

  /** Reclaims a segment; `isUrgent` tells whether to go on at full speed. */
  async run(
    stats: Readonly<SegmentStats>,
    keep: Victim['keep'],
    isUrgent: () => boolean,
  ): Promise<Reclaimed> {
    const done = await this.#copy(stats, keep, isUrgent);
    if (done.outcome !== 'done' || done.renew !== undefined) return done;
    const left = this.#options.store.segments.get(stats.id)?.records ?? 0;
    if (left === 0) return done;
    return await this.#runByRecords(stats, keep, isUrgent, done);
  }

  /**
   * Goes through the entries that the walk did not come across: behind a damaged header they can be read
   * by their records alone. When none is left, the counters were wrong.
   */
  async #runByRecords(
    stats: Readonly<SegmentStats>,
    keep: Victim['keep'],
    isUrgent: () => boolean,
    before: Reclaimed,
  ): Promise<Reclaimed> {
    const { store, log } = this.#options;
    const search = new IndexSearch(this.#options, [stats.id]);
    let { copiedBytes, evicted, renew } = before;
    let entries = 0;
    while (!search.isDone) {
      if (this.#isStopped) return { ...before, outcome: 'stopped', copiedBytes, evicted };
      const seen = [...(await search.next())];
      if (seen.length === 0) continue;
      entries += seen.length;
      seen.sort((one, other) => one.from.offset - other.from.offset);
      const fileBytes = Math.max(0, stats.fileBytes - BYTES_FOR_EACH_COPIED * copiedBytes);
      const part = await this.#copy({ ...stats, fileBytes }, keep, isUrgent, seen);
      copiedBytes += part.copiedBytes;
      evicted += part.evicted;
      renew ??= part.renew;
      if (part.outcome !== 'done') return { ...part, copiedBytes, evicted };
    }
    const { id: segment } = stats;
    if (renew === undefined) await store.emptySegment(segment);
    if (entries > 0) log.warn({ segment, entries }, 'a damaged segment was read by its records');
    else log.warn({ segment }, 'the counters of a segment were wrong: no record points into it');
    return { outcome: 'done', renew, copiedBytes, evicted };
  }

  /** Runs the job over the whole file, or over the records that are told. */
  async #copy(
    stats: Readonly<SegmentStats>,
    keep: Victim['keep'],
    isUrgent: () => boolean,
    seen?: readonly SeenAt[],
  ): Promise<Reclaimed> {
    const { store, jobs, indexPath, segmentsPath, visited, now } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const run = new CopyRun(port1, (news) => this.#settle(news, run, isUrgent));
    const purges = store.pendingPurges.filter(({ isSoft }) => isSoft !== true);
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
          : purges.map(({ version, prefix, tag }) => ({ version, prefix, tag })),
      ...(seen === undefined ? {} : { seen }),
      port: port2,
    });
    try {
      const result = await copying;
      await run.end();
      // What had its second chance keeps its place before the sweep.
      if (keep === 'chance') await this.#placeTargets(run, stats.agedFromMs);
      const { copiedBytes, evicted } = run;
      return { outcome: outcomeOf(result, run), renew: result.renew, copiedBytes, evicted };
    } catch (error) {
      await run.end().catch(() => undefined);
      // How far the job has written is not known.
      await this.#targets.seal();
      throw error;
    }
  }

  async #settle(news: CopyNews, run: CopyRun, isUrgent: () => boolean): Promise<CopyAnswer> {
    if (this.#isStopped) return { stop: true };
    if (news.kind === 'target-needed') {
      const target = await this.#targets.for(run);
      run.lacksRoom = target === undefined;
      return target === undefined ? { stop: true } : { stop: false, target };
    }
    if (news.copiedBytes > 0) this.#targets.advance(news.targetEnd);
    await this.#move(news.moves, isUrgent);
    run.evicted += await evictEntries(news.evicted, this.#options);
    await this.#remove(news.dead);
    if (news.damaged.length > 0) await this.#dropDamaged(news.damaged);
    run.copiedBytes += news.copiedBytes;
    if (!isUrgent()) await this.#rate.take(news.copiedBytes, this.#hurrying.signal);
    return { stop: this.#isStopped };
  }

  /** Evenly, since reads wait for each operation: small entries cost the index more than the disk. */
  async #move(moves: readonly Move[], isUrgent: () => boolean): Promise<void> {
    const { store, visited } = this.#options;
    if (moves.length > 0) await this.#targets.ensureNamed();
    for (let from = 0; from < moves.length; from += ENTRIES_PER_OPERATION) {
      const some = moves.slice(from, from + ENTRIES_PER_OPERATION);
      const refused = await store.move(some);
      for (const { key } of some) visited.clear(key);
      if (refused.length > 0) await this.#voidCopies(refused);
      if (!isUrgent()) await this.#rate.take(some.length * ENTRY_COST_BYTES, this.#hurrying.signal);
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

  async #remove(seen: readonly SeenAt[]): Promise<void> {
    for (let from = 0; from < seen.length; from += ENTRIES_PER_OPERATION) {
      await this.#options.store.removeSeen(seen.slice(from, from + ENTRIES_PER_OPERATION));
    }
  }

  async #dropDamaged(damaged: readonly SeenAt[]): Promise<void> {
    const { log } = this.#options;
    const keys = damaged.slice(0, 10).map(({ key }) => loggedKey(key));
    log.error({ entries: damaged.length, keys }, 'damaged entries were found and dropped');
    await this.#remove(damaged);
  }

  async #placeTargets(run: CopyRun, agedFromMs: number): Promise<void> {
    for (const id of run.targets) await this.#options.store.placeSegment(id, agedFromMs);
  }

  #pathOf(segment: number): string {
    return join(this.#options.segmentsPath, segmentFileName(segment));
  }
}

function outcomeOf({ fault, isComplete }: CopyResult, run: CopyRun): ReclaimOutcome {
  if (fault !== undefined) return fault;
  if (isComplete) return 'done';
  return run.lacksRoom ? 'no-room' : 'stopped';
}
