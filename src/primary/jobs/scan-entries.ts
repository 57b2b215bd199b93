/**
 * Job thread: looks through one stretch of the index for records whose time has come. It only reads;
 * what it finds is proposed to the write lane, which removes what has not been written since.
 */
import { ClassicLevel } from 'classic-level';
import { usefulUntilOf, versionOf, withWholeHead } from '../../protocol/record.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { ENTRIES, type KeyRange, keyOfEntryKey } from '../store/index/index-keys.ts';
import type { SeenRecord } from '../store/operations.ts';
import type { PurgeMark } from '../store/purges/purge-matchers.ts';
import { type Purges, purgesFrom, unpackMarks } from '../store/purges/purges.ts';
import { clipRanges, successor } from '../store/space/key-ranges.ts';

export interface ScanRequest {
  readonly indexPath: string;
  /** The ranges of index keys that make up the stretch: sorted, none touches another. */
  readonly ranges: readonly { readonly gte: Uint8Array; readonly lt: Uint8Array }[];
  /** The index key at which to begin. */
  readonly at: Uint8Array;
  readonly entriesMax: number;
  /** Records that were of use until this time or before it are found. */
  readonly expiredBeforeMs: number;
  readonly clearVersion: number;
  readonly purges: readonly PurgeMark[];
  /** More of them, in memory that is shared; see packMarks. */
  readonly packed?: Uint8Array | undefined;
}

export interface ScanResult {
  readonly scanned: number;
  readonly dead: readonly SeenRecord[];
  /** What soft purges have made stale, and does not say so by itself. */
  readonly stale: readonly SeenRecord[];
  /** Where to go on, or undefined when the stretch is done. */
  readonly next: Uint8Array | undefined;
  /** How much of the stretch lay before `at`, from 0 to 1, by the size of its tables. */
  readonly share: number;
}

type Index = ClassicLevel<Buffer, Buffer>;
type Found = Omit<ScanResult, 'share'>;

/**
 * INVARIANT: the thread pool is asked for so few at once that this takes it milliseconds. It may take
 * longer only where removed records lie by the hundred thousand, which LevelDB skips in one go.
 */
const ENTRIES_PER_READ = 512;
/** LevelDB's own default of 16 KiB would end a read after some 90 entries. */
const BYTES_PER_READ = 256 * 1024;

export default async function scanEntries(request: ScanRequest): Promise<ScanResult> {
  const index: Index = new ClassicLevel(request.indexPath, INDEX_OPTIONS);
  await index.open();
  try {
    const at = Buffer.from(request.at);
    const ranges = request.ranges.map(({ gte, lt }) => ({
      gte: Buffer.from(gte),
      lt: Buffer.from(lt),
    }));
    const share = await shareBefore(index, ranges, at);
    return {
      ...(await scan(index, request, clipRanges(ranges, { gte: at, lt: ENTRIES.lt }))),
      share,
    };
  } finally {
    await index.close();
  }
}

async function scan(
  index: Index,
  request: ScanRequest,
  ranges: readonly KeyRange[],
): Promise<Found> {
  const purges = purgesFrom(request.clearVersion, [
    ...request.purges,
    ...unpackMarks(request.packed),
  ]);
  const dead: SeenRecord[] = [];
  const stale: SeenRecord[] = [];
  let scanned = 0;
  for (const range of ranges) {
    const iterator = index.iterator({
      ...range,
      fillCache: false,
      highWaterMarkBytes: BYTES_PER_READ,
    });
    try {
      for (;;) {
        const wanted = Math.min(ENTRIES_PER_READ, request.entriesMax - scanned);
        const entries = await iterator.nextv(wanted);
        for (const [indexKey, found] of entries) {
          const key = keyOfEntryKey(indexKey);
          const record = withWholeHead(found);
          const seen = { key, version: versionOf(record) };
          if (record !== found || isDead(request, purges, key, record)) dead.push(seen);
          else if (purges.softenerOf(key, record) !== undefined) stale.push(seen);
        }
        scanned += entries.length;
        const last = entries.at(-1)?.[0];
        if (last === undefined) break;
        if (scanned >= request.entriesMax) return { scanned, dead, stale, next: successor(last) };
      }
    } finally {
      await iterator.close();
    }
  }
  return { scanned, dead, stale, next: undefined };
}

/** 0 while all of the stretch is still in LevelDB's memory. */
async function shareBefore(index: Index, ranges: readonly KeyRange[], at: Buffer): Promise<number> {
  const [begin, end] = [ranges[0]?.gte, ranges.at(-1)?.lt];
  if (begin === undefined || end === undefined || at.compare(begin) <= 0) return 0;
  const whole = await index.approximateSize(begin, end);
  return whole === 0 ? 0 : Math.min(1, (await index.approximateSize(begin, at)) / whole);
}

function isDead(
  { expiredBeforeMs }: ScanRequest,
  purges: Purges,
  key: string,
  record: Buffer,
): boolean {
  const usefulUntilMs = usefulUntilOf(record);
  if (usefulUntilMs !== 0 && usefulUntilMs <= expiredBeforeMs) return true;
  return purges.isPurged(key, record);
}
