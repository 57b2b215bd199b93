/**
 * Job thread: looks through one stretch of the index for records that point into some segments. Used
 * where the segments themselves cannot tell: their file is gone, or damaged in its middle.
 */
import { ClassicLevel } from 'classic-level';
import { pointerOf, RECORD_HEAD_BYTES, versionOf } from '../../protocol/record.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { keyOfEntryKey } from '../store/index/index-keys.ts';
import type { SeenAt } from '../store/operations.ts';
import { successor } from '../store/space/key-ranges.ts';

export interface PointingRequest {
  readonly indexPath: string;
  /** Bounds of the stretch, as index keys. */
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly segments: readonly number[];
}

export interface PointingResult {
  readonly pointing: readonly SeenAt[];
  /** Where to go on, or undefined when the stretch is done. */
  readonly next: Uint8Array | undefined;
}

const ENTRIES_PER_READ = 512;
const ENTRIES_PER_STRETCH = 65_536;
const POINTING_MAX = 4096;

export default async function findPointing(request: PointingRequest): Promise<PointingResult> {
  const index = new ClassicLevel<Buffer, Buffer>(request.indexPath, INDEX_OPTIONS);
  await index.open();
  try {
    return await find(index, request);
  } finally {
    await index.close();
  }
}

async function find(
  index: ClassicLevel<Buffer, Buffer>,
  request: PointingRequest,
): Promise<PointingResult> {
  const wanted = new Set(request.segments);
  const pointing: SeenAt[] = [];
  const range = { gte: Buffer.from(request.gte), lt: Buffer.from(request.lt), fillCache: false };
  const iterator = index.iterator(range);
  try {
    for (let scanned = 0; ; ) {
      const entries = await iterator.nextv(ENTRIES_PER_READ);
      for (const [indexKey, record] of entries) {
        if (record.length <= RECORD_HEAD_BYTES || !wanted.has(pointerOf(record).segment)) continue;
        const key = keyOfEntryKey(indexKey);
        pointing.push({ key, version: versionOf(record), from: pointerOf(record) });
      }
      scanned += entries.length;
      const last = entries.at(-1)?.[0];
      if (last === undefined) return { pointing, next: undefined };
      if (scanned >= ENTRIES_PER_STRETCH || pointing.length >= POINTING_MAX) {
        return { pointing, next: successor(last) };
      }
    }
  } finally {
    await iterator.close();
  }
}
