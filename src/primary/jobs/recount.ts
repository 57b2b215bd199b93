/**
 * Job thread: counts the records of all entries at one point in the order of all changes. It opens the
 * index, says that it is ready, and waits to be told the point, since opening takes its time; then it
 * says when its snapshot is taken, and the changes may go on while it counts.
 */
import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';
import {
  IN_RECORD,
  isIntact,
  pointerOf,
  storedBytesOf,
  versionOf,
  withWholeHead,
} from '../../protocol/record.ts';
import { occupiedBytesOf } from '../../segments/format.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { entryRange } from '../store/index/index-keys.ts';
import { isCleared } from '../store/purges/purges.ts';
import type { EntryCounts, SegmentCount } from '../store/recounted.ts';

export interface RecountRequest {
  readonly indexPath: string;
  /** Sends `ready`, takes the clear's version, sends `open`. When it closes, the job ends early. */
  readonly port: MessagePort;
}

/** What was counted; undefined when the job was told to end before it was done. */
export type RecountResult = EntryCounts | undefined;

const ENTRIES_PER_READ = 1024;

export default async function recount({ indexPath, port }: RecountRequest): Promise<RecountResult> {
  const index = new ClassicLevel<Buffer, Buffer>(indexPath, INDEX_OPTIONS);
  let isEnded = false;
  const ended = once(port, 'close').then(() => {
    isEnded = true;
  });
  const told = once(port, 'message');
  await index.open();
  try {
    port.postMessage('ready');
    const [clearVersion] = (await Promise.race([told, ended])) ?? [];
    if (typeof clearVersion !== 'number') return undefined;
    return await count(
      index,
      clearVersion,
      () => port.postMessage('open'),
      () => isEnded,
    );
  } finally {
    await index.close();
    port.close();
  }
}

async function count(
  index: ClassicLevel<Buffer, Buffer>,
  clearVersion: number,
  onOpen: () => void,
  isEnded: () => boolean,
): Promise<RecountResult> {
  const segments = new Map<number, SegmentCount>();
  let counted = 0;
  const iterator = index.iterator({ ...entryRange(''), fillCache: false });
  try {
    onOpen();
    for (;;) {
      const entries = await iterator.nextv(ENTRIES_PER_READ);
      if (entries.length === 0) return { count: counted, segments };
      if (isEnded()) return undefined;
      for (const [indexKey, found] of entries) {
        const record = withWholeHead(found);
        if (isCleared(versionOf(record), clearVersion)) continue;
        counted += 1;
        // The lane cannot take a damaged record out of a segment's accounting either.
        if (isIntact(indexKey.subarray(1), record)) addTo(segments, indexKey.length - 1, record);
      }
    }
  } finally {
    await iterator.close();
  }
}

function addTo(segments: Map<number, SegmentCount>, keyBytes: number, record: Buffer): void {
  const { segment, offset } = pointerOf(record);
  if (segment === IN_RECORD) return;
  const storedBytes = storedBytesOf(record);
  const before = segments.get(segment);
  segments.set(segment, {
    records: (before?.records ?? 0) + 1,
    bytesLive: (before?.bytesLive ?? 0) + occupiedBytesOf(keyBytes, record),
    bytesWritten: Math.max(before?.bytesWritten ?? 0, offset + storedBytes),
  });
}
