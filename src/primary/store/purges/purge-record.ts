/**
 * Purges as they lie in the index: the pending ones under `p`, the reports of finished ones under `r`.
 * docs/storage-format.md has the layout.
 */
import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import { PurgeFlag } from '../../../protocol/purge.ts';
import { DamagedValueError, purgeKey, reportKey } from '../index/index-keys.ts';
import { flagsOfPurge, type PurgeMark } from './purge-matchers.ts';
import { newPurge, type Purge } from './purges.ts';

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** Covers the version that is the key, the text, the time, and flags where there are any. */
function checksumOf(version: number, text: string, startedAtMs: number, flags: number): number {
  const time = Buffer.alloc(8);
  time.writeBigUInt64LE(BigInt(startedAtMs));
  const checksum = crc32(time, crc32(text, crc32(purgeKey(version))));
  return flags === 0 ? checksum : crc32(Buffer.from([flags]), checksum);
}

/**
 * A hard purge by prefix is written as it always was. The others have their text as bytes, which a build
 * that does not know them takes for damage: it must not take them for prefixes.
 */
export function encodePurge(purge: Purge): Buffer {
  const { version, prefix, tag, startedAtMs } = purge;
  const flags = flagsOfPurge(purge);
  const text = tag ?? prefix;
  const checksum = checksumOf(version, text, startedAtMs, flags);
  const fields =
    flags === 0
      ? [prefix, startedAtMs, checksum]
      : [Buffer.from(text), startedAtMs, checksum, flags];
  return Buffer.from(packr.pack(fields));
}

/** Throws a DamagedValueError when `bytes` is not what was stored for the purge of this version. */
export function decodePurge(version: number, bytes: Buffer): Purge {
  const [named, startedAtMs, checksum, flags = 0] = unpackArray(bytes);
  const isPlain = flags === 0;
  const text = isPlain ? named : Buffer.isBuffer(named) ? named.toString() : undefined;
  if (
    typeof text !== 'string' ||
    !isCount(startedAtMs) ||
    !isCount(flags) ||
    flags > (PurgeFlag.tag | PurgeFlag.soft) ||
    // Early stores have none.
    !(isPlain && checksum === undefined
      ? true
      : checksum === checksumOf(version, text, startedAtMs, flags))
  ) {
    throw new DamagedValueError(`the purge of version ${version}`);
  }
  return newPurge({ version, startedAtMs, ...selectionOf(text, flags) });
}

function selectionOf(text: string, flags: number): Pick<PurgeMark, 'prefix' | 'tag' | 'isSoft'> {
  const isSoft = (flags & PurgeFlag.soft) !== 0;
  const isTag = (flags & PurgeFlag.tag) !== 0;
  return isTag ? { prefix: '', tag: text, isSoft } : { prefix: text, isSoft };
}

/** The report of a purge that has ended. */
export function encodeReport(purge: Purge): Buffer {
  const { version, prefix, tag, startedAtMs, finishedAtMs } = purge;
  const { matched, removed, bytes, costMs } = purge;
  const figures = [startedAtMs, finishedAtMs ?? 0, matched, removed, bytes, costMs];
  const fields = [Buffer.from(tag ?? prefix), flagsOfPurge(purge), ...figures];
  const packed = packr.pack(fields);
  return Buffer.from(packr.pack([crc32(packed, crc32(reportKey(version))), Buffer.from(packed)]));
}

/** Undefined for what is not as it was written: a report is only shown. */
export function decodeReport(version: number, bytes: Buffer): Purge | undefined {
  const [checksum, packed] = unpackArray(bytes);
  if (!Buffer.isBuffer(packed) || checksum !== crc32(packed, crc32(reportKey(version)))) {
    return undefined;
  }
  const [text, flags, ...figures] = unpackArray(packed);
  if (!Buffer.isBuffer(text) || !isCount(flags) || !figures.every(isCount)) return undefined;
  const [startedAtMs = 0, finishedAtMs = 0, matched = 0, removed = 0, freed = 0, costMs = 0] =
    figures as number[];
  const mark = { version, startedAtMs, ...selectionOf(text.toString(), flags) };
  return { ...newPurge(mark), finishedAtMs, matched, removed, bytes: freed, costMs };
}

function unpackArray(bytes: Buffer): unknown[] {
  try {
    const value: unknown = unpackr.unpack(bytes);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
