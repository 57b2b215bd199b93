/**
 * What a verification knows of the store while it runs: what the index says of itself, and what its
 * records come to. Its memory depends on the number of segments and of pending purges, never on that
 * of entries.
 */
import type { Index } from '../../store/index/index-files.ts';
import {
  DamagedValueError,
  decodeNumber,
  type MetaName,
  metaKey,
  PURGE_RANGE,
  REPORT_RANGE,
  SEGMENT_RANGE,
  segmentIdOfKey,
  versionOfPurgeKey,
} from '../../store/index/index-keys.ts';
import { decodePurge, decodeReport } from '../../store/purges/purge-record.ts';
import { Purges } from '../../store/purges/purges.ts';
import { decodeSegmentStats, SegmentState, type SegmentStats } from '../../store/segment-stats.ts';
import { type Findings, showKey } from './findings.ts';

/** A segment by its accounting, and by what points into it. */
export interface SegmentCensus {
  readonly stats: SegmentStats;
  /** Intact records that point here and are not cleared. */
  records: number;
  bytesLive: number;
  newestVersion: number;
  /** End of the last body that a record points to. */
  liveEnd: number;
  /** Records whose append was found where they point. */
  found: number;
}

export interface Census {
  readonly versions: number;
  readonly count: number;
  readonly clearVersion: number;
  readonly nextSegment: number;
  readonly purges: Purges;
  readonly segments: Map<number, SegmentCensus>;
}

/** Purges and segment ids have keys of one length. */
const PURGE_KEY_BYTES = 9;
const SEGMENT_KEY_BYTES = 5;

/** Reads everything of the index but the entries. */
export async function takeCensus(index: Index, findings: Findings): Promise<Census> {
  const number = async (name: MetaName, absent: number): Promise<number> => {
    try {
      const value = decodeNumber(name, await index.get(metaKey(name)), absent);
      if (Number.isSafeInteger(value)) return value;
    } catch (error) {
      if (!(error instanceof DamagedValueError)) throw error;
    }
    findings.problem('state-damaged', `the number "${name}"`);
    return absent;
  };
  const clearVersion = await number('clear', 0);
  const purges = new Purges();
  purges.restoreClear(clearVersion);
  await readPurges(index, purges, findings);
  await checkReports(index, findings);
  return {
    versions: await number('versions', 0),
    count: await number('count', 0),
    clearVersion,
    nextSegment: await number('next-segment', 1),
    purges,
    segments: await readSegments(index, findings),
  };
}

async function readPurges(index: Index, purges: Purges, findings: Findings): Promise<void> {
  for await (const [key, value] of index.iterator(PURGE_RANGE)) {
    try {
      if (key.length !== PURGE_KEY_BYTES) throw new RangeError('a key of another length');
      purges.add(decodePurge(versionOfPurgeKey(key), value));
    } catch {
      findings.problem('state-damaged', `the purge ${showKey(key.toString('hex'))}`);
    }
  }
}

/** A damaged report harms nobody but whoever asks for it. */
async function checkReports(index: Index, findings: Findings): Promise<void> {
  for await (const [key, value] of index.iterator(REPORT_RANGE)) {
    const isWhole = key.length === PURGE_KEY_BYTES && decodeReport(versionOfPurgeKey(key), value);
    if (!isWhole) findings.note('report-damaged', showKey(key.toString('hex')));
  }
}

async function readSegments(index: Index, findings: Findings): Promise<Map<number, SegmentCensus>> {
  const segments = new Map<number, SegmentCensus>();
  for await (const [key, value] of index.iterator(SEGMENT_RANGE)) {
    const stats = key.length === SEGMENT_KEY_BYTES ? readStats(key, value) : undefined;
    if (stats === undefined) {
      findings.problem('state-damaged', `the accounting ${showKey(key.toString('hex'))}`);
      continue;
    }
    const census = { records: 0, bytesLive: 0, newestVersion: 0, liveEnd: 0, found: 0 };
    segments.set(stats.id, { stats, ...census });
  }
  return segments;
}

const STATES: ReadonlySet<number> = new Set(Object.values(SegmentState));

function readStats(key: Buffer, value: Buffer): SegmentStats | undefined {
  try {
    const stats = decodeSegmentStats(segmentIdOfKey(key), value);
    return STATES.has(stats.state) ? stats : undefined;
  } catch {
    return undefined;
  }
}

/** What lies between the kinds of keys: entries, numbers, purges, their reports, segments. */
const GAPS = [
  { lt: Buffer.from('e') },
  { gte: Buffer.from('f'), lt: Buffer.from('m') },
  { gte: Buffer.from('n'), lt: Buffer.from('p') },
  { gte: Buffer.from('q'), lt: Buffer.from('r') },
  { gte: Buffer.from('t') },
];

/** Looks for keys that are none of ours. */
export async function findUnknownKeys(index: Index, findings: Findings): Promise<void> {
  for (const gap of GAPS) {
    for await (const key of index.keys(gap)) {
      findings.problem('index-key-unknown', showKey(key.toString('latin1')));
    }
  }
}
