/**
 * A reclaimer over a real store, whose copying is played by the test: so that what it decides can be
 * seen without the files of segments.
 */
import { existsSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import findPointing from '../../../../src/primary/jobs/find-pointing.ts';
import walkSegment from '../../../../src/primary/jobs/walk-segment.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { DeadSegments } from '../../../../src/primary/store/space/dead-segments.ts';
import { LostSegments } from '../../../../src/primary/store/space/lost-segments.ts';
import { Pins } from '../../../../src/primary/store/space/pins.ts';
import { Reclaimer } from '../../../../src/primary/store/space/reclaimer.ts';
import type { Reclaimed } from '../../../../src/primary/store/space/segment-reclaim.ts';
import { segmentFileName } from '../../../../src/segments/format.ts';
import { createSegmentFile, logTo, openedIndex, recordOf } from '../store-setup.ts';

const WRITER = 1;
export const SEGMENT_BYTES = 1000;
const ENTRIES = 4;

export type Step = Partial<Reclaimed> | Error | 'evict';

export async function reclaiming(
  test: Parameters<typeof openedIndex>[0],
  { segments, lostChanges = false }: { segments: number; lostChanges?: boolean },
) {
  const { directory, index } = await openedIndex(test);
  const { indexPath, segmentsPath } = directory;
  const filled = await EntryStore.load(index);
  for (let nth = 1; nth <= segments; nth++) {
    const segment = await filled.grantSegment(WRITER, SEGMENT_BYTES);
    await createSegmentFile(directory, segment);
    for (let entry = 0; entry < ENTRIES; entry++) {
      const key = `${segment}/${entry}`;
      await filled.commit(WRITER, key, recordOf(key, { segment, storedBytes: 180 }));
    }
    await filled.sealSegment(WRITER, segment, SEGMENT_BYTES);
  }
  const store = await EntryStore.load(index, { lostChanges });
  const messages: string[] = [];
  const log = logTo(messages);
  const pins = new Pins();
  const searches = { stretches: 0 };
  const jobs = {
    walkSegment,
    findPointing: (request: Parameters<typeof findPointing>[0]) => {
      searches.stretches += 1;
      return findPointing(request);
    },
  };
  const needs = { store, jobs, indexPath, log };
  const deadSegments = new DeadSegments({ ...needs, segmentsPath, pins, onDrop: () => undefined });
  /** What the segments may take; by the quota, unless the test says that the disk is what is short. */
  const room = { limitBytes: Number.MAX_SAFE_INTEGER, isDisk: false, measured: 0, admitted: 0 };
  const tried: string[] = [];
  /** What each segment's reclaim does: evicts all of it, unless the test says otherwise. */
  const steps = new Map<number, (keep: string) => Promise<Step> | Step>();
  const done: Reclaimed = { outcome: 'done', renew: undefined, copiedBytes: 0, evicted: 0 };
  const time = { nowMs: 0 };
  const reclaimer = new Reclaimer({
    ...needs,
    space: {
      measure: async () => {
        room.measured += 1;
      },
      missingOnDisk: () => Number.NEGATIVE_INFINITY,
    },
    admission: {
      get missingBytes() {
        return store.segmentBytes - room.limitBytes;
      },
      get missingInQuotaBytes() {
        return room.isDisk ? Number.NEGATIVE_INFINITY : store.segmentBytes - room.limitBytes;
      },
      roomMayHaveCome: () => {
        room.admitted += 1;
      },
    },
    deadSegments,
    reclaim: {
      run: async ({ id }, keep) => {
        tried.push(`${id} ${keep}`);
        const step = (await steps.get(id)?.(keep)) ?? 'evict';
        if (step instanceof Error) throw step;
        if (step !== 'evict') return { ...done, ...step };
        for (let entry = 0; entry < ENTRIES; entry++) await store.delete(`${id}/${entry}`);
        return done;
      },
      stop: () => undefined,
      hurry: () => undefined,
      close: async () => undefined,
    },
    lost: new LostSegments(needs, new Map()),
    pins,
    segmentsPath,
    aheadBytes: 0,
    garbagePercent: 50,
    clock: { elapsedMs: () => time.nowMs },
  });
  test.after(() => reclaimer.stop());
  const hasFile = (id: number): boolean => existsSync(join(segmentsPath, segmentFileName(id)));
  /** Gives the file of a segment a second name, as a backup does; answers which. */
  const linked = async (id: number): Promise<string> => {
    const name = join(directory.path, `backup-of-${id}`);
    await link(join(segmentsPath, segmentFileName(id)), name);
    return name;
  };
  return {
    store,
    deadSegments,
    reclaimer,
    pins,
    room,
    tried,
    steps,
    time,
    messages,
    hasFile,
    linked,
    searches,
  };
}

/** Long enough for a reclaimer with nothing to do to have looked some times. */
export const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 700));
