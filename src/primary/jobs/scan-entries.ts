/**
 * Job thread: looks through one stretch of the index for records whose time has come. It only reads;
 * what it finds is proposed to the write lane, which removes what has not been written since.
 */
import { ClassicLevel } from 'classic-level';
import { expiresAtOf, versionOf, withWholeHead } from '../../protocol/record.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { keyOfEntryKey } from '../store/index/index-keys.ts';
import type { SeenRecord } from '../store/operations.ts';
import { Purges } from '../store/purges.ts';

export interface ScanRequest {
  readonly indexPath: string;
  /** Bounds of the stretch, as index keys. */
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly entriesMax: number;
  /** Records that expired at this time or before it are found. */
  readonly expiredBeforeMs: number;
  readonly clearVersion: number;
  readonly purges: readonly { readonly version: number; readonly prefix: string }[];
}

export interface ScanResult {
  readonly scanned: number;
  readonly dead: readonly SeenRecord[];
  /** Where to go on, or undefined when the stretch is done. */
  readonly next: Uint8Array | undefined;
}

const ENTRIES_PER_READ = 512;

export default async function scanEntries(request: ScanRequest): Promise<ScanResult> {
  const index = new ClassicLevel<Buffer, Buffer>(request.indexPath, INDEX_OPTIONS);
  await index.open();
  try {
    return await scan(index, request);
  } finally {
    await index.close();
  }
}

async function scan(
  index: ClassicLevel<Buffer, Buffer>,
  request: ScanRequest,
): Promise<ScanResult> {
  const isDead = judge(request);
  const dead: SeenRecord[] = [];
  let scanned = 0;
  const range = { gte: Buffer.from(request.gte), lt: Buffer.from(request.lt), fillCache: false };
  const iterator = index.iterator(range);
  try {
    for (;;) {
      const entries = await iterator.nextv(ENTRIES_PER_READ);
      for (const [indexKey, found] of entries) {
        const key = keyOfEntryKey(indexKey);
        const record = withWholeHead(found);
        if (record !== found || isDead(key, record)) dead.push({ key, version: versionOf(record) });
      }
      scanned += entries.length;
      const last = entries.at(-1)?.[0];
      if (last === undefined) return { scanned, dead, next: undefined };
      if (scanned >= request.entriesMax) return { scanned, dead, next: successor(last) };
    }
  } finally {
    await iterator.close();
  }
}

function judge(request: ScanRequest): (key: string, record: Buffer) => boolean {
  const purges = new Purges();
  purges.restoreClear(request.clearVersion);
  for (const purge of request.purges) purges.add({ ...purge, startedAtMs: 0, matched: 0 });
  return (key, record) => {
    const expiresAtMs = expiresAtOf(record);
    if (expiresAtMs !== 0 && expiresAtMs <= request.expiredBeforeMs) return true;
    return purges.isPurged(key, versionOf(record));
  };
}

/** The smallest key after `key`. */
function successor(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}
