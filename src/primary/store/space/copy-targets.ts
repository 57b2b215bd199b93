/**
 * The segments that copies go into, granted by the primary to its reclaiming: one after the other, each
 * filled by as many runs as it takes.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentFileName } from '../../../segments/format.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import type { CopyTarget } from '../../jobs/copy-messages.ts';
import type { EntryStore } from '../entry-store.ts';
import type { CopyRun } from './copy-run.ts';

export interface CopyTargetsOptions {
  readonly store: EntryStore;
  readonly segmentsPath: string;
  readonly segmentBytes: number;
  /** What may be granted without exceeding the room. */
  readonly roomBytes: () => number;
  readonly now: () => number;
}

/** The writer of copies: no worker ever has this number. */
export const RECLAIM_WRITER = 0xffff_fffe;
/** A target takes this share of a usual segment at least, or there is no room for one. */
const SHARE_MIN = 0.5;

export class CopyTargets {
  readonly #options: CopyTargetsOptions;
  #current: CopyTarget | undefined;
  /** Whether the name of its file is on disk. */
  #isNamed = false;

  constructor(options: CopyTargetsOptions) {
    this.#options = options;
  }

  /**
   * The target that an earlier run has begun, or, when this one has filled it, a new one; undefined when
   * there is no room for a new one.
   *
   * INVARIANT: targets never exceed the room. Admission keeps one segment free of all other grants, and
   * that is enough as long as each segment that is gone through is unlinked before the next target is
   * begun, since no more is copied than was there. One that a backup pins meanwhile is not unlinked, and
   * the index may grow into that room: so the room is looked at each time.
   */
  async for(run: CopyRun): Promise<CopyTarget | undefined> {
    const begun = this.#current;
    if (begun !== undefined && run.targets.length === 0) {
      run.targets.push(begun.id);
      return begun;
    }
    await this.seal();
    const { store, segmentBytes, roomBytes, now } = this.#options;
    const bytesMax = Math.floor(Math.min(segmentBytes, roomBytes()));
    if (bytesMax < SHARE_MIN * segmentBytes) return undefined;
    const id = await store.grantSegment(RECLAIM_WRITER, bytesMax);
    this.#current = { id, writer: RECLAIM_WRITER, createdAtMs: now(), end: 0, bytesMax };
    run.targets.push(id);
    this.#isNamed = false;
    return this.#current;
  }

  /** The run has written the target up to `end`. */
  advance(end: number): void {
    if (this.#current !== undefined) this.#current = { ...this.#current, end };
  }

  /** Before a record points into the target, its name is on disk. */
  async ensureNamed(): Promise<void> {
    if (this.#isNamed) return;
    await syncDirectory(this.#options.segmentsPath);
    this.#isNamed = true;
  }

  /** Seals what was being written. */
  async seal(): Promise<void> {
    const target = this.#current;
    if (target === undefined) return;
    this.#current = undefined;
    const { store, segmentsPath } = this.#options;
    const path = join(segmentsPath, segmentFileName(target.id));
    const { size } = await stat(path).catch(() => ({ size: target.end }));
    await store.sealSegment(RECLAIM_WRITER, target.id, size);
  }
}
