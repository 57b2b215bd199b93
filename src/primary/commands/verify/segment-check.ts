/**
 * The second pass of a verification: every segment file from front to back, each append looked up in
 * the index. Reading the files in their order costs far less than following each record to its body.
 */
import { join } from 'node:path';
import { decodeRecord, type EntryRecord } from '../../../protocol/record.ts';
import { recordChecksums } from '../../../segments/checksum.ts';
import { segmentFileName } from '../../../segments/format.ts';
import {
  type VerifiedAppend,
  VerifiedWalk,
  type WalkStep,
} from '../../../segments/verified-walk.ts';
import { causeText, type Index, isCorruption } from '../../store/index/index-files.ts';
import { entryKey } from '../../store/index/index-keys.ts';
import type { SegmentCensus } from './census.ts';
import { type Findings, showKey } from './findings.ts';

/** What lies in the files. */
export interface SegmentCounts {
  files: number;
  bytes: number;
  appends: number;
  voidAppends: number;
  /** Bytes of bodies that were read and verified. */
  bodyBytesRead: number;
}

export interface SegmentPass {
  /** undefined where the index does not open: then files are checked alone. */
  readonly index: Index | undefined;
  readonly segmentsPath: string;
  readonly readsBodies: boolean;
  readonly clearVersion: number;
  readonly findings: Findings;
  readonly counts: SegmentCounts;
  /** Told now and then how far it is in the file; answers whether to go on. */
  readonly goOn: (at: number) => boolean;
}

/** What of an append is compared with the record that points to it. */
export interface FoundAppend {
  readonly key: string;
  readonly bodyAt: number;
  readonly kind: number;
  readonly bodyBytes: number;
  readonly checksums: Buffer;
  readonly bodyIsIntact: boolean | undefined;
}

const APPENDS_PER_LOOKUP = 512;

/**
 * Checks the file of segment `id`. `census` is what the index knows of it; undefined where the index
 * does not open. Answers up to where appends could be found in it.
 */
export async function checkSegment(
  pass: SegmentPass,
  id: number,
  census: SegmentCensus | undefined,
): Promise<number> {
  const walk = await openSegment(pass, id);
  if (walk === undefined) return 0;
  try {
    pass.counts.files += 1;
    pass.counts.bytes += walk.size;
    await checkHeader(pass, walk, id, census);
    let found: FoundAppend[] = [];
    let reached = walk.size;
    for await (const step of walk.steps()) {
      if (step.what !== 'append') {
        if (step.what === 'tail') reached = step.at;
        reportGap(pass, id, step, census);
        continue;
      }
      found.push(noteAppend(pass, step.append, step.bodyIsIntact));
      if (found.length < APPENDS_PER_LOOKUP) continue;
      await lookUp(pass, id, found, census);
      found = [];
      if (!pass.goOn(step.append.at)) return reached;
    }
    await lookUp(pass, id, found, census);
    pass.goOn(walk.size);
    return reached;
  } finally {
    await walk.close();
  }
}

/** Opens a segment's file; undefined where it is missing. */
export async function openSegment(
  { segmentsPath, readsBodies }: Pick<SegmentPass, 'segmentsPath' | 'readsBodies'>,
  id: number,
): Promise<VerifiedWalk | undefined> {
  try {
    return await VerifiedWalk.open(join(segmentsPath, segmentFileName(id)), { readsBodies });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A writer that died between making the file and writing its header leaves an empty file. */
async function checkHeader(
  { findings }: SegmentPass,
  walk: VerifiedWalk,
  id: number,
  census: SegmentCensus | undefined,
): Promise<void> {
  if (walk.size === 0 && (census?.stats.bytesWritten ?? 0) === 0) {
    findings.note('torn-tail', `${segmentFileName(id)}: empty`);
    return;
  }
  const header = await walk.header();
  if (header?.id === id) return;
  const why = header === undefined ? 'its header' : `it says that it is segment ${header.id}`;
  findings.problem('segment-header-damaged', `${segmentFileName(id)}: ${why}`);
}

function noteAppend(
  { counts }: SegmentPass,
  append: VerifiedAppend,
  bodyIsIntact: boolean | undefined,
): FoundAppend {
  counts.appends += 1;
  if (!append.header.isLive) counts.voidAppends += 1;
  if (bodyIsIntact !== undefined) counts.bodyBytesRead += append.header.bodyBytes;
  return foundAppend(append, bodyIsIntact);
}

/** What is kept of an append beyond the step in which it was found. */
export function foundAppend(
  { header, key, bodyAt, table }: VerifiedAppend,
  bodyIsIntact: boolean | undefined,
): FoundAppend {
  const { kind, bodyBytes } = header;
  // The table is valid only until the next step.
  const checksums = Buffer.from(recordChecksums(table));
  return { key, bodyAt, kind, bodyBytes, checksums, bodyIsIntact };
}

/**
 * A tail that begins before the end of what was committed is no tail of a writer that died. What no
 * entry needs is no problem; whether one does, the third pass finds out, if there is an index.
 */
function reportGap(
  { index, findings }: SegmentPass,
  id: number,
  step: Exclude<WalkStep, { what: 'append' }>,
  census: SegmentCensus | undefined,
): void {
  const where = `${segmentFileName(id)}: ${step.bytes} bytes from ${step.at} on`;
  const isTorn =
    step.what === 'tail' && step.isTorn && step.at >= (census?.stats.bytesWritten ?? 0);
  if (isTorn) findings.note('torn-tail', where);
  else if (index !== undefined) findings.note('segment-damaged', where);
  else findings.problem('segment-damaged', where);
}

/** Compares appends with the records of their keys. */
async function lookUp(
  { index, findings, clearVersion }: SegmentPass,
  id: number,
  appends: readonly FoundAppend[],
  census: SegmentCensus | undefined,
): Promise<void> {
  const values = index && (await readMany(index, appends, findings));
  appends.forEach((append, at) => {
    const value = values?.[at];
    const record = value && decodeRecord(Buffer.from(append.key), value);
    const isUsed =
      record?.pointer.segment === id &&
      record.pointer.offset === append.bodyAt &&
      record.version > clearVersion;
    if (record !== undefined && isUsed) {
      if (census !== undefined) census.found += 1;
      reportDifferences(findings, id, append, record);
    } else if (append.bodyIsIntact === false) {
      if (values !== undefined) findings.note('unused-body-damaged', place(id, append));
      else findings.problem('body-damaged', place(id, append));
    }
  });
}

/** The records of the appends' keys; undefined where the index is too damaged to give them. */
async function readMany(
  index: Index,
  appends: readonly FoundAppend[],
  findings: Findings,
): Promise<(Buffer | undefined)[] | undefined> {
  try {
    return await index.getMany(appends.map(({ key }) => entryKey(key)));
  } catch (error) {
    if (!isCorruption(error)) throw error;
    findings.problem('index-unreadable', causeText(error));
    return undefined;
  }
}

/** What is wrong between a record and the append that it points to. */
export function reportDifferences(
  findings: Findings,
  id: number,
  append: FoundAppend,
  record: EntryRecord,
): void {
  const isSame =
    record.kind === append.kind &&
    record.storedBytes === append.bodyBytes &&
    record.checksums.equals(append.checksums);
  if (!isSame) findings.problem('append-differs', place(id, append));
  else if (append.bodyIsIntact === false) findings.problem('body-damaged', place(id, append));
}

function place(id: number, { key, bodyAt, bodyBytes }: FoundAppend): string {
  return `${showKey(key)}: segment ${id}, ${bodyBytes} bytes from ${bodyAt} on`;
}
