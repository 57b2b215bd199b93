/**
 * The first pass of a verification: every record of the index, in the order of the keys. Counts what
 * they come to and compares that with what the index says.
 */
import {
  decodeRecord,
  type EntryRecord,
  IN_RECORD,
  RECORD_HEAD_BYTES,
  versionOf,
} from '../../../protocol/record.ts';
import { occupiedBytesOf } from '../../../segments/format.ts';
import type { Index } from '../../store/index/index-files.ts';
import { entryRange, keyOfEntryKey } from '../../store/index/index-keys.ts';
import { SegmentState } from '../../store/segment-stats.ts';
import type { Census } from './census.ts';
import { type Findings, showKey } from './findings.ts';

/** What became of the records. */
export interface RecordCounts {
  /** All records under `e`. */
  records: number;
  readable: number;
  expired: number;
  /** Taken by a purge or a clear, and not yet removed. */
  purged: number;
  damaged: number;
  /** What `count` should be. */
  counted: number;
  newestVersion: number;
}

export interface RecordPass {
  readonly index: Index;
  readonly census: Census;
  readonly findings: Findings;
  readonly nowMs: number;
  /** Told now and then; answers whether to go on. */
  readonly goOn: (records: number) => boolean;
}

const RECORDS_PER_READ = 1000;
/** LevelDB's binding gives 16 KiB at a time unless told otherwise. */
const BYTES_PER_READ = 512 * 1024;

/** Goes over all records. Ends early when it is not to go on. */
export async function checkRecords(pass: RecordPass): Promise<RecordCounts> {
  const counts = {
    records: 0,
    readable: 0,
    expired: 0,
    purged: 0,
    damaged: 0,
    counted: 0,
    newestVersion: 0,
  };
  for await (const chunk of recordsOf(pass.index)) {
    for (const [key, value] of chunk) checkRecord(pass, counts, key, value);
    if (!pass.goOn(counts.records)) return counts;
  }
  compareNumbers(pass, counts);
  compareAccounting(pass);
  return counts;
}

/** All keys of entries with their records, in chunks. */
export async function* recordsOf(index: Index): AsyncGenerator<[key: string, record: Buffer][]> {
  const options = { ...entryRange(''), fillCache: false, highWaterMarkBytes: BYTES_PER_READ };
  const iterator = index.iterator(options);
  try {
    for (;;) {
      const chunk = await iterator.nextv(RECORDS_PER_READ);
      if (chunk.length === 0) return;
      yield chunk.map(([key, value]) => [keyOfEntryKey(key), value]);
    }
  } finally {
    await iterator.close();
  }
}

function checkRecord(pass: RecordPass, counts: RecordCounts, key: string, value: Buffer): void {
  const { census, findings, nowMs } = pass;
  counts.records += 1;
  const version = value.length < RECORD_HEAD_BYTES ? 0 : versionOf(value);
  if (version > census.clearVersion) counts.counted += 1;
  const keyBytes = Buffer.from(key);
  const record = decodeRecord(keyBytes, value);
  if (record === undefined) {
    counts.damaged += 1;
    findings.problem('record-damaged', showKey(key));
    return;
  }
  counts.newestVersion = Math.max(counts.newestVersion, version);
  if (census.purges.isPurged(key, value)) counts.purged += 1;
  else if (record.expiresAtMs !== 0 && record.expiresAtMs <= nowMs) counts.expired += 1;
  else counts.readable += 1;
  if (version > census.clearVersion)
    account(pass, key, record, occupiedBytesOf(keyBytes.length, value));
}

/** Counts a record for its segment. What a clear took counts nowhere, and its file may be gone. */
function account(
  { census, findings }: RecordPass,
  key: string,
  record: EntryRecord,
  occupiedBytes: number,
): void {
  const { pointer, storedBytes, version } = record;
  if (pointer.segment === IN_RECORD) return;
  const segment = census.segments.get(pointer.segment);
  if (segment === undefined) {
    findings.problem('segment-unknown', `${showKey(key)}: segment ${pointer.segment}`);
    return;
  }
  segment.records += 1;
  segment.bytesLive += occupiedBytes;
  segment.newestVersion = Math.max(segment.newestVersion, version);
  segment.liveEnd = Math.max(segment.liveEnd, pointer.offset + storedBytes);
}

function compareNumbers({ census, findings }: RecordPass, counts: RecordCounts): void {
  if (counts.counted !== census.count) {
    findings.problem(
      'count-wrong',
      `${counts.counted} entries, and the index says ${census.count}`,
    );
  }
  const newest = Math.max(counts.newestVersion, census.clearVersion);
  for (const { version } of census.purges.pending) checkVersion(version, 'a purge');
  checkVersion(newest, 'an entry or the last clear');
  for (const id of census.segments.keys()) {
    if (id < census.nextSegment) continue;
    findings.problem('numbering-wrong', `segment ${id}, and the next is ${census.nextSegment}`);
  }

  function checkVersion(version: number, whose: string): void {
    if (version <= census.versions) return;
    const said = `the next start begins after ${census.versions}`;
    findings.problem('numbering-wrong', `version ${version} of ${whose}, and ${said}`);
  }
}

function compareAccounting({ census, findings }: RecordPass): void {
  for (const { stats, records, bytesLive, newestVersion, liveEnd } of census.segments.values()) {
    const wrong: string[] = [];
    const compare = (what: string, found: number, said: number, isRight: boolean): void => {
      if (!isRight) wrong.push(`${what} ${found}, accounted ${said}`);
    };
    compare('records', records, stats.records, records === stats.records);
    compare('bytes', bytesLive, stats.bytesLive, bytesLive === stats.bytesLive);
    const { lastVersion, bytesWritten } = stats;
    compare('newest version', newestVersion, lastVersion, newestVersion <= lastVersion);
    compare('end', liveEnd, bytesWritten, liveEnd <= bytesWritten);
    if (stats.state === SegmentState.dropping && records > 0) wrong.push('it is being dropped');
    if (wrong.length > 0) {
      findings.problem('accounting-wrong', `segment ${stats.id}: ${wrong.join('; ')}`);
    }
  }
}
