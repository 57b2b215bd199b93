/**
 * What the index says of the store as a whole, read and judged in one place: by the primary before an
 * opened index is accepted, and when it is loaded. What could make it serve what is gone, or give a
 * number twice, is damage; counters that are damaged can be counted again.
 */
import type { ClassicLevel } from 'classic-level';
import { decodePurge, decodeReport } from '../purges/purge-record.ts';
import type { Purge } from '../purges/purges.ts';
import { decodeSegmentStats, SegmentState, type SegmentStats } from '../segment-stats.ts';
import {
  DamagedValueError,
  decodeNumber,
  META_RANGE,
  PURGE_RANGE,
  REPORT_RANGE,
  SEGMENT_RANGE,
  segmentIdOfKey,
  versionOfPurgeKey,
} from './index-keys.ts';

/** So many versions are reserved at once, on disk, so that none is ever used twice. */
export const VERSIONS_PER_EPOCH = 2 ** 32;

export interface StoredState {
  /** The first version of the next epoch; greater than every version that was given. */
  readonly versions: number;
  readonly count: number;
  readonly clear: number;
  readonly nextSegment: number;
  readonly evicted: number;
  /** As the hand saved it, unverified; see space/hand-position.ts. */
  readonly handPosition: Buffer | undefined;
  readonly purges: readonly Purge[];
  /** Of the purges that have ended, in the order in which they ended. */
  readonly reports: readonly Purge[];
  readonly segments: ReadonlyMap<number, SegmentStats>;
  /** False when counters are damaged, or were before and have not been counted again. */
  readonly countsAreSure: boolean;
}

const REPORT_KEY_BYTES = 9;

type Readable = Pick<ClassicLevel<Buffer, Buffer>, 'iterator'>;

/**
 * Reads it all by iterators: what looks a key up asks a filter first, which may be damaged too. Throws
 * a DamagedValueError for a damaged number of versions, clear or segments, and for a damaged purge.
 */
export async function readStoredState(index: Readable): Promise<StoredState> {
  const meta = new Map<string, Buffer>();
  for await (const [key, value] of index.iterator(META_RANGE)) {
    meta.set(key.toString('latin1', 1), value);
  }
  const purges: Purge[] = [];
  for await (const [key, value] of index.iterator(PURGE_RANGE)) {
    purges.push(decodePurge(versionOfPurgeKey(key), value));
  }
  const versions = decodeNumber('versions', meta.get('versions'), VERSIONS_PER_EPOCH);
  const { segments, areIntact } = await readSegments(index, versions);
  const clear = decodeNumber('clear', meta.get('clear'), 0);
  const count = unlessDamaged(() => decodeNumber('count', meta.get('count'), 0));
  return {
    versions: aboveAll(versions, [
      clear,
      ...purges.map(({ version }) => version),
      ...[...segments.values()].map(({ lastVersion }) => lastVersion),
    ]),
    count: count ?? 0,
    clear,
    nextSegment: Math.max(
      decodeNumber('next-segment', meta.get('next-segment'), 1),
      ...[...segments.keys()].map((id) => id + 1),
    ),
    // Only shown, so damage to it matters to nobody.
    evicted: unlessDamaged(() => decodeNumber('evicted', meta.get('evicted'), 0)) ?? 0,
    handPosition: meta.get('hand'),
    purges,
    reports: await readReports(index),
    segments,
    countsAreSure: areIntact && count !== undefined && !meta.has('recount'),
  };
}

/** Reports are only shown, so one that is damaged is left out. */
async function readReports(index: Readable): Promise<Purge[]> {
  const reports: Purge[] = [];
  for await (const [key, value] of index.iterator(REPORT_RANGE)) {
    const report =
      key.length === REPORT_KEY_BYTES ? decodeReport(versionOfPurgeKey(key), value) : undefined;
    if (report !== undefined) reports.push(report);
  }
  return reports.sort((one, other) => (one.finishedAtMs ?? 0) - (other.finishedAtMs ?? 0));
}

async function readSegments(
  index: Readable,
  versions: number,
): Promise<{ segments: Map<number, SegmentStats>; areIntact: boolean }> {
  const segments = new Map<number, SegmentStats>();
  let areIntact = true;
  for await (const [key, value] of index.iterator(SEGMENT_RANGE)) {
    const id = segmentIdOfKey(key);
    const stats = unlessDamaged(() => decodeSegmentStats(id, value));
    areIntact &&= stats !== undefined;
    segments.set(id, stats ?? unknownStats(id, versions));
  }
  return { segments, areIntact };
}

/** The accounting of a segment of which nothing is known but that it is there, until a recount. */
function unknownStats(id: number, versions: number): SegmentStats {
  return {
    id,
    writer: 0,
    state: SegmentState.sealed,
    agedFromMs: 0,
    bytesStreamed: 0,
    bytesWritten: 0,
    bytesLive: 0,
    records: 0,
    // The newest that it can hold, so that no clear but a later one is taken to have emptied it.
    lastVersion: versions - 1,
    fileBytes: 0,
  };
}

/**
 * `versions`, or where it is not above all that were given, since part of LevelDB's log was lost, the
 * begin of the epoch after the next: the one in between may have been given in what was lost.
 */
function aboveAll(versions: number, given: readonly number[]): number {
  const newest = given.reduce((one, other) => Math.max(one, other), 0);
  if (newest < versions) return versions;
  return (Math.floor(newest / VERSIONS_PER_EPOCH) + 2) * VERSIONS_PER_EPOCH;
}

function unlessDamaged<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DamagedValueError) return undefined;
    throw error;
  }
}
