/**
 * The seal on a closed index: a list of its files as the primary left them, in `index/CLOSED`. A log
 * that lost its end looks like one whose writer died; with the seal the next start knows better.
 *
 * INVARIANT: the seal is gone from the disk before anything is written to the index. It is void when
 * another program has opened the index since: LevelDB begins a new MANIFEST each time.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { unlessMissing } from '../../directory/absent.ts';
import { syncDirectory, writeFileAtomically } from '../../directory/durable-files.ts';

const SEAL = 'CLOSED';
const PARTIAL = 'CLOSED.partial';
const MANIFEST = /^MANIFEST-\d+$/;
const LOG = /^\d+\.log$/;
const MiB = 1024 * 1024;
/** Beyond this a file is known by its length alone: logs are rotated at 16 MiB. */
const CHECKED_BYTES_MAX = 64 * MiB;

/** How a file was left: its length, and the crc32 of its content where that is noted. */
interface SealedFile {
  readonly bytes: number;
  readonly crc32?: number | undefined;
}

/** What differs from the seal, each in one line. */
export interface SealDifferences {
  /** Changes at the end or in the middle of a log are lost: the rest can be used. */
  readonly logs: readonly string[];
  /** The index cannot be opened as it is. */
  readonly others: readonly string[];
}

const NO_DIFFERENCE: SealDifferences = { logs: [], others: [] };

/** Seals the index. REQUIRES: it is closed, by a process that owns the store. */
export async function sealIndex(indexPath: string): Promise<void> {
  const files: Record<string, SealedFile> = {};
  for (const name of await readdir(indexPath)) {
    if (isSealed(name)) files[name] = await describe(join(indexPath, name));
  }
  const text = JSON.stringify({ files, checksum: crc32(JSON.stringify(files)) });
  await writeFileAtomically(join(indexPath, SEAL), join(indexPath, PARTIAL), `${text}\n`);
}

/** Removes the seal, so that the index may be written. */
export async function breakSeal(indexPath: string): Promise<void> {
  await rm(join(indexPath, SEAL), { force: true });
  await syncDirectory(indexPath);
}

/** Compares the index with its seal. Where there is none, or it is void, nothing differs. */
export async function compareWithSeal(indexPath: string): Promise<SealDifferences> {
  const files = await readSeal(indexPath);
  const present = new Set(await readdir(indexPath));
  const manifest = [...files.keys()].find((name) => MANIFEST.test(name));
  const hasOther = [...present].some((name) => MANIFEST.test(name) && name !== manifest);
  if (manifest === undefined || hasOther) return NO_DIFFERENCE;
  const logs: string[] = [];
  const others: string[] = [];
  for (const [name, sealed] of files) {
    if (!present.has(name)) {
      others.push(`its file ${name} is missing`);
      continue;
    }
    const found = await describe(join(indexPath, name));
    const isSame = found.bytes === sealed.bytes && found.crc32 === sealed.crc32;
    if (!isSame) {
      const what = found.bytes === sealed.bytes ? 'changed' : `of ${sealed.bytes} bytes`;
      (LOG.test(name) ? logs : others).push(`its file ${name}, ${what}, has ${found.bytes} bytes`);
    }
  }
  return { logs, others };
}

/** The files of LevelDB but for its lock and its two text files. */
function isSealed(name: string): boolean {
  return name === 'CURRENT' || MANIFEST.test(name) || LOG.test(name) || /\.(ldb|sst)$/.test(name);
}

async function describe(path: string): Promise<SealedFile> {
  const { size } = await stat(path);
  const isTable = /\.(ldb|sst)$/.test(path);
  if (isTable || size > CHECKED_BYTES_MAX) return { bytes: size };
  return { bytes: size, crc32: crc32(await readFile(path)) };
}

/** What the seal lists; nothing when there is none, or when the seal itself is damaged. */
async function readSeal(indexPath: string): Promise<Map<string, SealedFile>> {
  const text = await readFile(join(indexPath, SEAL), 'utf8').catch(unlessMissing);
  try {
    const { files, checksum } = JSON.parse(text ?? '{}');
    if (checksum === crc32(JSON.stringify(files))) return new Map(Object.entries(files));
  } catch {
    // A seal that cannot be read says nothing about the index.
  }
  return new Map();
}
