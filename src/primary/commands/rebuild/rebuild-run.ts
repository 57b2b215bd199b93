/**
 * Makes a new index from the segments of a store: every file from front to back, in the order of their
 * ids, the newest append of a key wins.
 */
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentFileName, segmentIdOf } from '../../../segments/format.ts';
import { syncDirectory } from '../../directory/durable-files.ts';
import { forgetImport } from '../../directory/import-checkpoint.ts';
import { type BereftStore, renewIdentity } from '../../directory/stopped-store.ts';
import { NewIndex } from '../../store/rebuild/new-index.ts';
import { newIndexPath, publishIndex, settleOldIndex } from '../../store/rebuild/publish.ts';
import { type RebuildCounts, SegmentIntake } from './segment-intake.ts';

export interface RebuildOptions {
  readonly directory: BereftStore;
  /** Whether entries come back as they were; otherwise they come back stale. */
  readonly isTrusted: boolean;
  readonly now: () => number;
  /** Told now and then: the share that is done, and the bytes read. */
  readonly onProgress: (share: number, bytes: number) => void;
  /** Asked now and then whether to stop; then nothing is changed. */
  readonly shouldStop: () => boolean;
}

export interface RebuildResult {
  readonly path: string;
  readonly entries: number;
  /** Entries among them whose time was over before the rebuild. */
  readonly expired: number;
  readonly counts: RebuildCounts;
  readonly isTrusted: boolean;
  /** Whether `bigcache.json` was made anew. */
  readonly hasNewIdentity: boolean;
  /** The old index in the quarantine; undefined where there was none. */
  readonly oldIndex: string | undefined;
  /** Segment files without a single entry that hold damage: moved to the quarantine. */
  readonly quarantined: readonly string[];
}

/** Rebuilds the index; undefined when it was stopped. Throws what the file system says. */
export async function rebuildIndex(options: RebuildOptions): Promise<RebuildResult | undefined> {
  const { directory, isTrusted, now } = options;
  await settleOldIndex(directory);
  const nowMs = now();
  const index = await NewIndex.create({ path: newIndexPath(directory), nowMs, isTrusted });
  const intake = new SegmentIntake(directory.segmentsPath, index, nowMs);
  let lost: string[] | undefined;
  try {
    lost = await takeSegments(options, index, intake);
    if (lost !== undefined) await index.finish(await nextSegmentId(directory));
  } catch (error) {
    await index.abandon();
    throw error;
  }
  if (lost === undefined) {
    await index.abandon();
    return undefined;
  }
  await forgetImport(directory.path);
  const oldIndex = await publishIndex(directory);
  await quarantine(directory, lost);
  if (directory.instanceId === undefined) await renewIdentity(directory);
  return {
    path: directory.path,
    entries: index.count,
    expired: index.expired,
    counts: intake.counts,
    isTrusted,
    hasNewIdentity: directory.instanceId === undefined,
    oldIndex,
    quarantined: lost,
  };
}

/**
 * Takes all segments in. Answers the files that hold damage and not one entry: what is not understood
 * is never deleted, and the server deletes segments without entries. undefined when it was stopped.
 */
async function takeSegments(
  { directory: { segmentsPath }, onProgress, shouldStop }: RebuildOptions,
  index: NewIndex,
  intake: SegmentIntake,
): Promise<string[] | undefined> {
  const ids = await segmentIds(segmentsPath);
  let totalBytes = 0;
  for (const id of ids) totalBytes += (await stat(join(segmentsPath, segmentFileName(id)))).size;
  const damaged: number[] = [];
  for (const id of ids) {
    const before = intake.counts.bytes;
    const goOn = (at: number): boolean => {
      onProgress(Math.min(1, (before + at) / Math.max(1, totalBytes)), before + at);
      return !shouldStop();
    };
    if (await intake.take(id, goOn)) damaged.push(id);
    if (!goOn(intake.counts.bytes - before)) return undefined;
  }
  const lost = damaged.filter((id) => index.recordsIn(id) === 0);
  for (const id of lost) index.forgetSegment(id);
  return lost.map(segmentFileName);
}

async function segmentIds(segmentsPath: string): Promise<number[]> {
  const ids = (await readdir(segmentsPath)).map(segmentIdOf).filter((id) => id !== undefined);
  return ids.sort((one, other) => one - other);
}

/** An id above every one that was seen, those in the quarantine included. */
async function nextSegmentId({ segmentsPath, quarantinePath }: BereftStore): Promise<number> {
  const moved = (await readdir(quarantinePath)).map((name) => name.replace(/^\d+-/, ''));
  const names = [...(await readdir(segmentsPath)), ...moved];
  const ids = names.map(segmentIdOf).filter((id) => id !== undefined);
  return ids.reduce((highest, id) => Math.max(highest, id), 0) + 1;
}

async function quarantine(
  { segmentsPath, quarantinePath }: BereftStore,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  for (const name of names) {
    await rename(join(segmentsPath, name), join(quarantinePath, `${Date.now()}-${name}`));
  }
  await syncDirectory(quarantinePath);
  await syncDirectory(segmentsPath);
}
