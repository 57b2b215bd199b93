/**
 * The verification of a store whose server is stopped: the index by itself, the segments by
 * themselves, and each against the other. It changes nothing, and its memory does not grow with the
 * number of entries.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentFileName, segmentIdOf } from '../../../segments/format.ts';
import { unlessMissing } from '../../directory/absent.ts';
import type { StoreToVerify } from '../../directory/stopped-store.ts';
import {
  type IndexCopy,
  openIndexCopy,
  UnreadableIndexError,
} from '../../store/index/index-copy.ts';
import { causeText, isCorruption } from '../../store/index/index-files.ts';
import { SegmentState } from '../../store/segment-stats.ts';
import { type Census, findUnknownKeys, type SegmentCensus, takeCensus } from './census.ts';
import { Findings } from './findings.ts';
import { checkPointers, type PointerPass } from './pointer-check.ts';
import { checkRecords, type RecordCounts } from './record-check.ts';
import { checkSegment, type SegmentCounts, type SegmentPass } from './segment-check.ts';

/** What a verification does, one after the other. */
export type VerifyStage = 'index' | 'segments' | 'entries';

export interface VerifyOptions {
  readonly directory: Pick<StoreToVerify, 'path' | 'indexPath' | 'segmentsPath' | 'damage'>;
  /** Whether the bodies are read too. */
  readonly readsBodies: boolean;
  readonly now: () => number;
  /** Told now and then: the stage, the share of it that is done, and records or bytes so far. */
  readonly onProgress: (stage: VerifyStage, share: number, count: number) => void;
  /** Asked now and then whether to stop. */
  readonly shouldStop: () => boolean;
}

export interface VerifyResult {
  readonly path: string;
  readonly readsBodies: boolean;
  /** False when it was stopped: then nothing can be said of the rest. */
  readonly isComplete: boolean;
  /** undefined where the index does not open. */
  readonly records: RecordCounts | undefined;
  readonly pendingPurges: number;
  readonly segments: SegmentCounts;
  readonly findings: Findings;
}

/** Verifies the store. Throws only what the file system says. REQUIRES: nobody has it open. */
export async function verifyStore(options: VerifyOptions): Promise<VerifyResult> {
  const findings = new Findings();
  const copy = await openOrReport(options, findings);
  try {
    return await verify(options, findings, copy);
  } finally {
    await copy?.close();
  }
}

/** It was stopped while the files of the index were looked over. */
class StoppedError extends Error {}

async function openOrReport(
  { directory, shouldStop }: VerifyOptions,
  findings: Findings,
): Promise<IndexCopy | undefined> {
  if (directory.damage !== undefined) findings.problem('store-damaged', directory.damage);
  const beforeTable = (): void => {
    if (shouldStop()) throw new StoppedError();
  };
  try {
    const copy = await openIndexCopy(directory, { beforeTable });
    const { drops, bytes, logs } = copy.dropped;
    if (drops > 0) findings.problem('log-dropped', `${bytes} bytes of ${logs.join(', ')}`);
    for (const loss of copy.inspection.lostInLogs) findings.problem('log-dropped', loss);
    for (const table of copy.inspection.damagedTables) findings.problem('table-damaged', table);
    if (copy.hasSentinel) return copy;
    findings.problem('index-not-as-stored', 'the key that every index has is missing');
    await copy.close();
  } catch (error) {
    if (error instanceof StoppedError) return undefined;
    if (!(error instanceof UnreadableIndexError)) throw error;
    findings.problem('index-unreadable', error.message);
  }
  return undefined;
}

async function verify(
  options: VerifyOptions,
  findings: Findings,
  copy: IndexCopy | undefined,
): Promise<VerifyResult> {
  const counts = { files: 0, bytes: 0, appends: 0, voidAppends: 0, bodyBytesRead: 0 };
  const { directory, readsBodies, shouldStop } = options;
  const known = copy && (await passOverIndex(options, findings, copy));
  if (!shouldStop()) {
    const pass = {
      index: known && copy?.index,
      segmentsPath: directory.segmentsPath,
      readsBodies,
      clearVersion: known?.census.clearVersion ?? 0,
      findings,
      counts,
    };
    const suspects = await passOverSegments(options, pass, known?.census);
    if (copy !== undefined && known !== undefined && suspects.size > 0 && !shouldStop()) {
      await passOverPointers(options, { ...pass, index: copy.index, suspects }, known.records);
    }
  }
  return {
    path: directory.path,
    readsBodies,
    isComplete: !shouldStop(),
    records: known?.records,
    pendingPurges: known?.census.purges.size ?? 0,
    segments: counts,
    findings,
  };
}

/** The first pass; undefined where LevelDB finds that it cannot read on. */
async function passOverIndex(
  { now, onProgress, shouldStop }: VerifyOptions,
  findings: Findings,
  { index }: IndexCopy,
): Promise<{ census: Census; records: RecordCounts } | undefined> {
  return await reportingCorruption(findings, async () => {
    const census = await takeCensus(index, findings);
    await findUnknownKeys(index, findings);
    const goOn = (records: number): boolean => {
      // How many records there are is only known by what the index says, which may be wrong.
      onProgress('index', Math.min(1, records / Math.max(1, census.count)), records);
      return !shouldStop();
    };
    const records = await checkRecords({ index, census, findings, nowMs: now(), goOn });
    return { census, records };
  });
}

async function passOverPointers(
  { onProgress, shouldStop }: VerifyOptions,
  pass: Omit<PointerPass, 'goOn'>,
  { records }: RecordCounts,
): Promise<void> {
  await reportingCorruption(pass.findings, async () => {
    const goOn = (done: number): boolean => {
      onProgress('entries', Math.min(1, done / records), done);
      return !shouldStop();
    };
    await checkPointers({ ...pass, goOn });
  });
}

/** Does `work`; undefined, and a finding, where LevelDB finds its own structure damaged. */
async function reportingCorruption<T>(
  findings: Findings,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isCorruption(error)) throw error;
    findings.problem('index-unreadable', causeText(error));
    return undefined;
  }
}

/**
 * Goes over all files. Answers the segments in which not all was found that records point to, each
 * with up to where its appends could be found.
 */
async function passOverSegments(
  options: VerifyOptions,
  pass: Omit<SegmentPass, 'goOn'>,
  census: Census | undefined,
): Promise<Map<number, number>> {
  const names = ((await readdir(pass.segmentsPath).catch(unlessMissing)) ?? []).sort();
  const sizes = new Map<number, number>();
  for (const name of names) {
    const id = segmentIdOf(name);
    const isKnown = id !== undefined && (census === undefined || census.segments.has(id));
    if (id !== undefined && isKnown)
      sizes.set(id, (await stat(join(pass.segmentsPath, name))).size);
    else pass.findings.problem('stray-file', name);
  }
  const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const suspects = new Map<number, number>();
  let doneBytes = 0;
  for (const [id, size] of sizes) {
    const segment = census?.segments.get(id);
    // The server finishes what it began to drop, whatever is in the file.
    if (segment?.stats.state === SegmentState.dropping) continue;
    const goOn = (at: number): boolean => {
      const done = doneBytes + at;
      options.onProgress('segments', Math.min(1, done / Math.max(1, totalBytes)), done);
      return !options.shouldStop();
    };
    const reached = await checkSegment({ ...pass, goOn }, id, segment);
    if (options.shouldStop()) return suspects;
    if (segment !== undefined && segment.found < segment.records) suspects.set(id, reached);
    doneBytes += size;
  }
  for (const segment of census?.segments.values() ?? []) reportMissing(pass, sizes, segment);
  return suspects;
}

function reportMissing(
  { findings }: Omit<SegmentPass, 'goOn'>,
  sizes: ReadonlyMap<number, number>,
  { stats, records }: SegmentCensus,
): void {
  if (sizes.has(stats.id) || records === 0) return;
  findings.problem('segment-missing', `${segmentFileName(stats.id)}: ${records} entries`);
}
