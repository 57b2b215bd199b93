/**
 * Segments on their way to the disk, in the primary, which syncs what its workers wrote: fdatasync
 * works on the file, whoever wrote, and so a segment is synced also when its writer has died.
 *
 * A descriptor is opened when a segment is first synced and held until the segment is sealed, so that
 * the system cannot forget an error in between.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { isShortage, toStoreError } from '../../segments/faults.ts';
import { segmentFileName } from '../../segments/format.ts';
import { syncDirectory } from '../directory/durable-files.ts';

/** Syncs at once. LevelDB and its readers need the other threads of the pool. */
const PARALLEL_MAX = 2;

export interface SegmentSyncsOptions {
  readonly segmentsPath: string;
  /** Told once of each segment whose sync has failed: nothing may be written to it any more. */
  readonly onFailure: (segment: number, error: Error) => void;
}

export class SegmentSyncs {
  readonly #options: SegmentSyncsOptions;
  readonly #held = new Map<number, FileHandle>();
  /** Segments whose names may not be on disk yet. */
  readonly #unnamed = new Set<number>();
  /** Never synced again: the system has dropped what it could not write. */
  readonly #failed = new Map<number, Error>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SegmentSyncsOptions) {
    this.#options = options;
  }

  /** Whether a sync of the segment has failed. */
  hasFailed(segment: number): boolean {
    return this.#failed.has(segment);
  }

  /**
   * Puts on disk all that is in these segments now, and their names. Answers the segments for which
   * that failed, with STORE_FAILED or DISK_FULL; one that could not be opened may be tried again.
   */
  sync(segments: Iterable<number>): Promise<ReadonlyMap<number, Error>> {
    return this.#inTurn(() => this.#sync([...segments]));
  }

  /** Closes the descriptors of segments that are no longer needed. */
  async release(isNeeded: (segment: number) => boolean): Promise<void> {
    await this.#inTurn(async () => {
      for (const [segment, file] of [...this.#held]) {
        if (isNeeded(segment)) continue;
        this.#held.delete(segment);
        await file.close();
      }
    });
  }

  async close(): Promise<void> {
    await this.release(() => false);
  }

  async #sync(segments: readonly number[]): Promise<ReadonlyMap<number, Error>> {
    const failures = new Map<number, Error>();
    const opened: [number, FileHandle][] = [];
    for (const segment of segments) {
      try {
        opened.push([segment, await this.#hold(segment)]);
      } catch (error) {
        failures.set(segment, toStoreError(error));
      }
    }
    await inParallel(opened, async ([segment, file]) => {
      try {
        await file.datasync();
      } catch (error) {
        failures.set(segment, this.#fail(segment, error));
      }
    });
    await this.#syncNames(failures);
    return failures;
  }

  async #hold(segment: number): Promise<FileHandle> {
    const failure = this.#failed.get(segment);
    if (failure !== undefined) throw failure;
    const held = this.#held.get(segment);
    if (held !== undefined) return held;
    const file = await open(join(this.#options.segmentsPath, segmentFileName(segment)), 'r');
    this.#held.set(segment, file);
    this.#unnamed.add(segment);
    return file;
  }

  async #syncNames(failures: Map<number, Error>): Promise<void> {
    if (this.#unnamed.size === 0) return;
    const unnamed = [...this.#unnamed];
    try {
      await syncDirectory(this.#options.segmentsPath);
    } catch (error) {
      const isShort = isShortage(error);
      for (const segment of unnamed) {
        failures.set(segment, isShort ? toStoreError(error) : this.#fail(segment, error));
      }
      if (isShort) return;
    }
    for (const segment of unnamed) this.#unnamed.delete(segment);
  }

  #fail(segment: number, cause: unknown): Error {
    const known = this.#failed.get(segment);
    if (known !== undefined) return known;
    const error = toStoreError(cause);
    this.#failed.set(segment, error);
    this.#options.onFailure(segment, error);
    return error;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const runners = Array.from({ length: Math.min(PARALLEL_MAX, items.length) }, async () => {
    for (const item of rest) await work(item);
  });
  await Promise.all(runners);
}
