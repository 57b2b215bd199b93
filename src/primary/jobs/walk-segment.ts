/**
 * Job thread: walks all keys of a segment file and finds the records that point into it. Before a
 * file is unlinked, this must find none; a counter alone is never trusted with that.
 */
import { ClassicLevel } from 'classic-level';
import { pointerOf, RECORD_HEAD_BYTES, versionOf } from '../../protocol/record.ts';
import { scanAppends } from '../../segments/append-scan.ts';
import { appendBytes } from '../../segments/format.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { entryKey } from '../store/index/index-keys.ts';
import type { SeenRecord } from '../store/operations.ts';

export interface WalkRequest {
  readonly indexPath: string;
  readonly segmentPath: string;
  readonly segment: number;
}

export interface WalkResult {
  /** Where the last append ended that could be read; 0 where there is none. */
  readonly end: number;
  /** Whether there is no such file. */
  readonly isMissing: boolean;
  /** Records that point into the segment; at most 100 of them. */
  readonly pointing: readonly SeenRecord[];
}

const KEYS_PER_READ = 512;
const POINTING_MAX = 100;

export default async function walkSegment(request: WalkRequest): Promise<WalkResult> {
  const index = new ClassicLevel<Buffer, Buffer>(request.indexPath, INDEX_OPTIONS);
  await index.open();
  try {
    return await walk(index, request);
  } finally {
    await index.close();
  }
}

async function walk(
  index: ClassicLevel<Buffer, Buffer>,
  { segmentPath, segment }: WalkRequest,
): Promise<WalkResult> {
  const pointing: SeenRecord[] = [];
  let end = 0;
  let isMissing = false;
  let keys: string[] = [];
  const look = async (): Promise<void> => {
    const records = await index.getMany(keys.map(entryKey));
    records.forEach((record, at) => {
      if (record === undefined || record.length < RECORD_HEAD_BYTES) return;
      if (pointerOf(record).segment !== segment || pointing.length >= POINTING_MAX) return;
      pointing.push({ key: keys[at] as string, version: versionOf(record) });
    });
    keys = [];
  };
  try {
    for await (const append of scanAppends(segmentPath)) {
      end = append.at + appendBytes(append.header);
      keys.push(append.key);
      if (keys.length >= KEYS_PER_READ) await look();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // What the disk cannot read ends the walk as damage does.
    if (code !== 'ENOENT' && code !== 'EIO') throw error;
    // Granted and never created, or unlinked before.
    isMissing = code === 'ENOENT';
  }
  if (keys.length > 0) await look();
  return { end, isMissing, pointing };
}
