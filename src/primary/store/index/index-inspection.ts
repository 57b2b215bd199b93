/**
 * Looks the files of a closed index over before LevelDB opens them, since LevelDB takes some damage
 * for an older or an empty index, and deletes what that does not name. Run by the primary.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareWithSeal } from './index-seal.ts';
import { hasGap } from './log-records.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { hadBrokenCompaction } from './recovery-log.ts';
import { checkTable } from './table-check.ts';

/** The files cannot be opened as they are, in one line. */
export class DamagedFilesError extends Error {}

/** What is known of the logs before the open. */
export interface Inspection {
  /** Changes are lost that LevelDB will say nothing of; one line for each log. */
  readonly lostInLogs: readonly string[];
}

const TABLES_AT_ONCE = 8;
/** Beyond this a log is not looked through: it is rotated at 16 MiB. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;

/** Throws a DamagedFilesError. REQUIRES: the index is closed, and has the file CURRENT. */
export async function inspectIndex(indexPath: string): Promise<Inspection> {
  const names = new Set(await readdir(indexPath));
  const seal = await compareWithSeal(indexPath);
  const [difference] = seal.others;
  if (difference !== undefined) throw new DamagedFilesError(difference);
  const manifest = await manifestOf(indexPath, names);
  requireLog(manifest, names);
  await checkTables(indexPath, manifest, names);
  const lostInLogs = [...seal.logs];
  for (const name of names) {
    if (!/^\d+\.log$/.test(name) || lostInLogs.some((line) => line.includes(name))) continue;
    if (await logHasGap(join(indexPath, name))) lostInLogs.push(`its file ${name} has a gap`);
  }
  return { lostInLogs };
}

async function manifestOf(indexPath: string, names: ReadonlySet<string>): Promise<Manifest> {
  const current = (await readFile(join(indexPath, 'CURRENT'), 'latin1')).slice(0, 100);
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (name === undefined) throw new DamagedFilesError('its file CURRENT is damaged');
  if (!names.has(name)) throw new DamagedFilesError(`CURRENT names ${name}, which is missing`);
  return naming(name, async () => readManifest(await readFile(join(indexPath, name))));
}

/** LevelDB makes a log before it names it, and removes none that is named. */
function requireLog({ logNumber }: Manifest, names: ReadonlySet<string>): void {
  const log = fileName(logNumber, 'log');
  if (logNumber > 0 && !names.has(log)) throw new DamagedFilesError(`its log ${log} is missing`);
}

async function checkTables(
  indexPath: string,
  { tables }: Manifest,
  names: ReadonlySet<string>,
): Promise<void> {
  const everything = await hadBrokenCompaction(indexPath);
  const left = [...tables];
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [number, bytes] = next;
      const name = [fileName(number, 'ldb'), fileName(number, 'sst')].find((one) => names.has(one));
      if (name === undefined) {
        throw new DamagedFilesError(`its table ${fileName(number, 'ldb')} is missing`);
      }
      await naming(name, () => checkTable(join(indexPath, name), bytes, everything));
    }
  };
  await Promise.all(Array.from({ length: TABLES_AT_ONCE }, work));
}

async function logHasGap(path: string): Promise<boolean> {
  const { size } = await stat(path);
  return size <= LOG_BYTES_MAX && hasGap(await readFile(path));
}

function fileName(number: number, extension: string): string {
  return `${String(number).padStart(6, '0')}.${extension}`;
}

async function naming<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DamagedFilesError(`its file ${file}: ${error.message}`, { cause: error });
  }
}
