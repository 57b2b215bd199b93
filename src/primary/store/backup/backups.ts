/**
 * Makes backups of the open store, in the primary: the index as of one moment between two batches of
 * the write lane, and the segments that it points into. Writes and reads go on meanwhile.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { segmentFileName } from '../../../segments/format.ts';
import { sizeIfThere } from '../../directory/absent.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { syncFiles } from '../../directory/durable-files.ts';
import { CannotRunError } from '../../exit.ts';
import type { Jobs } from '../../jobs/job-pool.ts';
import type { EntryStore } from '../entry-store.ts';
import { SegmentState, type SegmentStats } from '../segment-stats.ts';
import type { Pin, Pins } from '../space/pins.ts';
import { RateLimit } from '../space/rate-limit.ts';
import { epochAfter } from '../state.ts';
import { BackupTarget } from './backup-target.ts';
import { FilePlacer, type Placed } from './file-placer.ts';
import { IndexExport } from './index-export.ts';
import { asRefusal, Cancelled } from './refusals.ts';
import { ShareDone } from './share-done.ts';

export interface BackupRequest {
  /** Absolute path of a directory that is missing or empty. */
  readonly to: string;
  /** Bytes of the index, and of the segments, that are copied per second at most. */
  readonly bytesPerSecond: number;
  /** Ends the backup; nothing is left of it. */
  readonly signal?: AbortSignal;
  /** Told the share that is done (0 to 1) and the entries that are exported. */
  readonly onProgress?: (share: number, entries: number) => void;
}

export interface BackupResult extends Readonly<Placed> {
  readonly path: string;
  readonly entries: number;
  readonly indexBytes: number;
  /** Segments that had entries and no file, already in the store. */
  readonly missing: readonly number[];
  /** How long writes waited for the snapshot. */
  readonly heldMs: number;
  readonly elapsedMs: number;
}

/** What a backup must know of the store. */
export type BackupSource = Pick<EntryStore, 'segments' | 'count' | 'unused' | 'betweenBatches'>;

export interface BackupsOptions {
  readonly store: BackupSource;
  readonly jobs: Pick<Jobs, 'exportIndex'>;
  readonly pins: Pins;
  readonly directory: Pick<StoreDirectory, 'path' | 'indexPath' | 'segmentsPath' | 'instanceId'>;
  readonly log: Logger;
  /** Makes the second name of a file; the system's, unless a test says otherwise. */
  readonly link?: (source: string, target: string) => Promise<void>;
}

/** The store at the moment of the snapshot, as far as it is in memory. */
interface Moment {
  readonly segments: readonly Readonly<SegmentStats>[];
  readonly entries: number;
  /** What stands under `versions` in the index. */
  readonly versions: number;
  readonly pin: Pin;
  readonly heldMs: number;
}

export class Backups {
  readonly #options: BackupsOptions;
  #running: { readonly stop: AbortController; readonly ended: Promise<unknown> } | undefined;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  /** Throws a CannotRunError when it cannot be made, or is cancelled; then nothing is left of it. */
  async run(request: BackupRequest): Promise<BackupResult> {
    if (this.#running !== undefined) throw new CannotRunError('a backup is under way already');
    const stop = new AbortController();
    const cancel = (): void => stop.abort(request.signal?.reason);
    request.signal?.addEventListener('abort', cancel);
    if (request.signal?.aborted) cancel();
    const work = this.#run(request, stop);
    this.#running = { stop, ended: work.catch(() => undefined) };
    try {
      return await work;
    } finally {
      request.signal?.removeEventListener('abort', cancel);
      this.#running = undefined;
    }
  }

  /** Cancels the backup that runs; resolves when nothing is left of it. */
  async stop(): Promise<void> {
    this.#running?.stop.abort(new Cancelled('backup', 'the store is being closed'));
    await this.#running?.ended;
  }

  async #run(request: BackupRequest, stop: AbortController): Promise<BackupResult> {
    const { log, directory } = this.#options;
    try {
      const target = await BackupTarget.begin(request.to, directory.path);
      try {
        const result = await this.#fill(target, request, stop);
        log.info({ backup: result }, 'backup done');
        return result;
      } catch (error) {
        await target.discard();
        throw error;
      }
    } catch (error) {
      // A wait that is cut short says only that it was.
      const reason = stop.signal.aborted ? stop.signal.reason : error;
      log.warn({ err: reason, to: request.to }, 'no backup was made');
      throw asRefusal(reason, 'backup', request.to);
    }
  }

  async #fill(
    target: BackupTarget,
    request: BackupRequest,
    stop: AbortController,
  ): Promise<BackupResult> {
    const startedAtMs = performance.now();
    const done = new ShareDone(request.onProgress);
    await this.#requireRoom(target);
    const exporting = new IndexExport({
      jobs: this.#options.jobs,
      request: {
        indexPath: this.#options.directory.indexPath,
        targetPath: target.indexPath,
        bytesPerSecond: request.bytesPerSecond,
      },
      signal: stop.signal,
      onEntries: (entries) => done.exported(entries),
    });
    const placer = new FilePlacer({
      pace: new RateLimit(request.bytesPerSecond),
      signal: stop.signal,
      onBytes: (bytes) => done.placed(bytes),
      ...(this.#options.link === undefined ? {} : { link: this.#options.link }),
    });
    const placing = exporting.ready.then(async () => {
      const moment = await this.#takeMoment(exporting);
      try {
        return { moment, missing: await this.#placeSegments(moment, target, placer, done) };
      } finally {
        moment.pin.releaseAll();
      }
    });
    // Both have ended before anything is removed again.
    for (const half of [exporting.done, placing]) half.catch((error) => stop.abort(error));
    await Promise.allSettled([exporting.done, placing]);
    stop.signal.throwIfAborted();
    const { moment, missing } = await placing;
    const indexBytes = await syncFiles(target.indexPath);
    stop.signal.throwIfAborted();
    await target.finish({
      of: this.#options.directory.instanceId,
      entries: moment.entries,
      versions: moment.versions,
      missing,
    });
    return {
      path: target.path,
      entries: moment.entries,
      indexBytes,
      missing,
      ...placer.placed,
      heldMs: moment.heldMs,
      elapsedMs: performance.now() - startedAtMs,
    };
  }

  /** About what will be written: the index, and what of the segments cannot be linked. */
  async #requireRoom(target: BackupTarget): Promise<void> {
    const { directory, store } = this.#options;
    const sharesDisk = await target.sharesDiskWith(directory.segmentsPath);
    let bytes = 0;
    for (const name of await readdir(directory.indexPath)) {
      bytes += await sizeOf(join(directory.indexPath, name));
    }
    for (const { id, state } of [...store.segments.values()]) {
      if (sharesDisk && state !== SegmentState.open) continue;
      bytes += await sizeOf(this.#pathOf(id));
    }
    await target.requireRoom(bytes, sharesDisk);
  }

  /**
   * Fixes the moment of the backup. INVARIANT: no batch is under way, so the snapshot of the index and
   * the accounting in memory are the same point in the order of all changes; and what is pinned here
   * was not marked for removal, so its file is there.
   */
  #takeMoment(exporting: IndexExport): Promise<Moment> {
    const { store, pins } = this.#options;
    return store.betweenBatches(async () => {
      const heldSinceMs = performance.now();
      const segments = [...store.segments.values()].map((stats) => ({ ...stats }));
      const pin = pins.pin(segments.map(({ id }) => id));
      try {
        await exporting.takeSnapshot();
      } catch (error) {
        pin.releaseAll();
        throw error;
      }
      const versions = epochAfter(store.unused.version);
      const heldMs = performance.now() - heldSinceMs;
      return { segments, entries: store.count, versions, pin, heldMs };
    });
  }

  /** Brings the segments over, the oldest first; answers those that are needed and are not there. */
  async #placeSegments(
    { segments, entries, pin }: Moment,
    target: BackupTarget,
    placer: FilePlacer,
    done: ShareDone,
  ): Promise<number[]> {
    const missing: number[] = [];
    // INVARIANT: an append is in its file before it is committed, so the file as it is now holds all
    // that the snapshot points to; what comes later is left out.
    const sizes = new Map<number, number>();
    for (const { id } of segments) sizes.set(id, await sizeOf(this.#pathOf(id)));
    done.expect(
      entries,
      [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
    for (const { id, state, records } of segments) {
      // Marked before its file is removed: nothing points into it.
      if (state === SegmentState.dropping) continue;
      const place = join(target.segmentsPath, segmentFileName(id));
      try {
        if (state === SegmentState.sealed) await placer.place(this.#pathOf(id), place);
        else await placer.copy(this.#pathOf(id), place, sizes.get(id));
      } catch (error) {
        // Granted and never created, unless there are records of it.
        if ((await sizeIfThere(this.#pathOf(id))) !== undefined) throw error;
        if (records > 0) missing.push(id);
      }
      pin.release(id);
    }
    return missing;
  }

  #pathOf(segment: number): string {
    return join(this.#options.directory.segmentsPath, segmentFileName(segment));
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await sizeIfThere(path)) ?? 0;
}
