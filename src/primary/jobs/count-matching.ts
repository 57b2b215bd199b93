/**
 * Job thread: counts what a purge would take, on a snapshot of the index, for a dry run. It only reads.
 */
import { ClassicLevel } from 'classic-level';
import {
  isFreshAt,
  isIntact,
  storedBytesOf,
  usefulUntilOf,
  withWholeHead,
} from '../../protocol/record.ts';
import { costMsOf } from '../../protocol/record-fields.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { ENTRIES, entryRange, keyOfEntryKey } from '../store/index/index-keys.ts';
import { type PurgeMark, selects } from '../store/purges/purge-matchers.ts';
import { type Purges, purgesFrom, unpackMarks } from '../store/purges/purges.ts';

export interface CountRequest {
  readonly indexPath: string;
  /** The purge that would be made. */
  readonly mark: PurgeMark;
  readonly nowMs: number;
  readonly clearVersion: number;
  /** Those that are pending; see packMarks. */
  readonly packed: Uint8Array;
  /** One byte; the job ends early when it is not 0. */
  readonly stop: Uint8Array;
}

export interface CountResult {
  readonly isComplete: boolean;
  readonly matched: number;
  readonly bytes: number;
  readonly costMs: number;
}

const ENTRIES_PER_READ = 512;
const BYTES_PER_READ = 256 * 1024;

export default async function countMatching(request: CountRequest): Promise<CountResult> {
  const index = new ClassicLevel<Buffer, Buffer>(request.indexPath, INDEX_OPTIONS);
  await index.open();
  try {
    return await count(index, request);
  } finally {
    await index.close();
  }
}

async function count(
  index: ClassicLevel<Buffer, Buffer>,
  { mark, nowMs, clearVersion, packed, stop }: CountRequest,
): Promise<CountResult> {
  const purges = purgesFrom(clearVersion, unpackMarks(packed));
  const range = mark.tag === undefined ? entryRange(mark.prefix) : ENTRIES;
  const options = { ...range, fillCache: false, highWaterMarkBytes: BYTES_PER_READ };
  const iterator = index.iterator(options);
  let [matched, bytes, costMs] = [0, 0, 0];
  try {
    for (;;) {
      if (Atomics.load(stop, 0) !== 0) return { isComplete: false, matched, bytes, costMs };
      const entries = await iterator.nextv(ENTRIES_PER_READ);
      if (entries.length === 0) return { isComplete: true, matched, bytes, costMs };
      for (const [indexKey, found] of entries) {
        const key = keyOfEntryKey(indexKey);
        const record = withWholeHead(found);
        if (!selects(mark, key, record) || !wouldChange(mark, purges, key, record, nowMs)) continue;
        if (!isIntact(indexKey.subarray(1), record)) continue;
        matched += 1;
        bytes += storedBytesOf(record);
        costMs += costMsOf(record);
      }
    }
  } finally {
    await iterator.close();
  }
}

/** Whether the entry could be read now; for a soft purge, whether it is fresh. */
function wouldChange(
  mark: PurgeMark,
  purges: Purges,
  key: string,
  record: Buffer,
  nowMs: number,
): boolean {
  if (purges.isPurged(key, record)) return false;
  if (mark.isSoft === true) {
    return isFreshAt(record, nowMs) && purges.softenerOf(key, record) === undefined;
  }
  const untilMs = usefulUntilOf(record);
  return untilMs === 0 || untilMs > nowMs;
}
