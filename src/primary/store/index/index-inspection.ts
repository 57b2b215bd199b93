/**
 * Looks the files of a closed index over before LevelDB opens them, since LevelDB takes some damage
 * for an older or an empty index, and deletes what that does not name. Run by the primary.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../directory/durable-files.ts';
import { compareWithSeal } from './index-seal.ts';
import { hasGap } from './log-records.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { hadBrokenCompaction } from './recovery-log.ts';
import { type CheckDepth, checkTable } from './table-check.ts';

/** The files cannot be opened as they are, in one line. */
export class DamagedFilesError extends Error {}

/** A table by its file and the length that it has by the MANIFEST. */
export interface TableFile {
  readonly name: string;
  readonly bytes: number;
}

/** What is known of the files before the open. */
export interface Inspection {
  /** Changes are lost that LevelDB will say nothing of; one line for each log. */
  readonly lostInLogs: readonly string[];
  /** Tables with damaged records in them, which will be misses. */
  readonly damagedTables: readonly string[];
  /** Tables of which the records have not been looked at: that takes too long for a start. */
  readonly unchecked: readonly TableFile[];
}

/**
 * Present while tables are in use that are not checked yet, with the number of starts in a row, this one
 * included, that did not come to check them all. They may have been ended by such a table.
 */
const CHECKING = 'CHECKING';

/**
 * A start that finds so many checks everything first. One is no sign of damage: whoever kills a server
 * within a minute of its start should not wait half a minute for the next one.
 */
const UNCHECKED_STARTS_MAX = 2;

/** Up to this all tables are checked before the open; it takes well under a second. */
const CHECKED_FIRST_BYTES_MAX = 64 * 1024 * 1024;
/** Whole tables are in memory meanwhile. */
const TABLES_AT_ONCE = 4;
/** Beyond this a log is not looked through: it is rotated at 16 MiB. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;

/** Called before each table, which may take long: it throws to end the inspection. */
export type BeforeTable = () => void;

export interface InspectionOptions {
  /** What is looked at of the tables; where it is left out, as much as a start has time for. */
  readonly depth?: CheckDepth;
  readonly beforeTable?: BeforeTable | undefined;
  /** Up to so many bytes of tables all of them are looked at; 64 MiB where it is left out. */
  readonly checkedFirstBytes?: number;
}

/**
 * Looks at as much as a start has time for, or at what is asked for. Throws a DamagedFilesError.
 * REQUIRES: the index is closed, and has the file CURRENT.
 */
export async function inspectIndex(
  indexPath: string,
  { depth: asked, beforeTable, checkedFirstBytes }: InspectionOptions = {},
): Promise<Inspection> {
  const names = new Set(await readdir(indexPath));
  const seal = await compareWithSeal(indexPath);
  const [difference] = seal.others;
  if (difference !== undefined) throw new DamagedFilesError(difference);
  const manifest = await manifestOf(indexPath, names);
  requireLog(manifest, names);
  const tables = tablesOf(manifest, names);
  const uncheckedStarts = names.has(CHECKING) ? await countStarts(indexPath) : 0;
  const isLarge = bytesOf(tables) > (checkedFirstBytes ?? CHECKED_FIRST_BYTES_MAX);
  const mayWait = isLarge && uncheckedStarts < UNCHECKED_STARTS_MAX;
  const depth = asked ?? (mayWait ? await depthOf(indexPath) : 'everything');
  const damagedTables = await checkTables(indexPath, tables, depth, beforeTable);
  const lostInLogs = [...seal.logs];
  for (const name of names) {
    if (!/^\d+\.log$/.test(name) || lostInLogs.some((line) => line.includes(name))) continue;
    if (await logHasGap(join(indexPath, name))) lostInLogs.push(`its file ${name} has a gap`);
  }
  const unchecked = depth === 'everything' ? [] : tables;
  if (unchecked.length > 0) {
    await noteUncheckedStarts(indexPath, uncheckedStarts + 1);
  } else await endChecking(indexPath);
  return { lostInLogs, damagedTables, unchecked };
}

/**
 * What is wrong with an index that LevelDB found damaged while it had it open, and that no open would
 * accept; undefined where an open can be tried. REQUIRES: nothing is written to the index any more.
 */
export async function damageFoundIn(indexPath: string): Promise<DamagedFilesError | undefined> {
  if (!(await hadBrokenCompaction(indexPath))) return undefined;
  try {
    await inspectIndex(indexPath, { depth: 'everything' });
    return undefined;
  } catch (error) {
    if (error instanceof DamagedFilesError) return error;
    throw error;
  }
}

/** Has the next start check everything, unless the index is found to be sound before. */
export async function requireCheck(indexPath: string): Promise<void> {
  await noteUncheckedStarts(indexPath, UNCHECKED_STARTS_MAX);
}

async function noteUncheckedStarts(indexPath: string, starts: number): Promise<void> {
  await writeFile(join(indexPath, CHECKING), `${starts}\n`);
  await syncDirectory(indexPath);
}

/** What cannot be read counts as too many. */
async function countStarts(indexPath: string): Promise<number> {
  const text = await readFile(join(indexPath, CHECKING), 'latin1');
  return /^\d\n$/.test(text) ? Number(text) : UNCHECKED_STARTS_MAX;
}

/** Says that all tables were checked, or that the index was closed before they did any harm. */
export async function endChecking(indexPath: string): Promise<void> {
  await rm(join(indexPath, CHECKING), { force: true });
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

function tablesOf({ tables }: Manifest, names: ReadonlySet<string>): TableFile[] {
  return [...tables].map(([number, bytes]) => {
    const name = [fileName(number, 'ldb'), fileName(number, 'sst')].find((one) => names.has(one));
    if (name !== undefined) return { name, bytes };
    throw new DamagedFilesError(`its table ${fileName(number, 'ldb')} is missing`);
  });
}

const bytesOf = (tables: readonly TableFile[]): number =>
  tables.reduce((sum, { bytes }) => sum + bytes, 0);

async function depthOf(indexPath: string): Promise<CheckDepth> {
  return (await hadBrokenCompaction(indexPath)) ? 'everything' : 'state';
}

/** Answers the names of tables with damaged records. Throws a DamagedFilesError. */
export async function checkTables(
  indexPath: string,
  tables: readonly TableFile[],
  depth: CheckDepth,
  beforeTable: BeforeTable = () => undefined,
): Promise<string[]> {
  const left = [...tables];
  const damaged: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { name, bytes } = next;
      beforeTable();
      const blocks = await naming(name, () => checkTable(join(indexPath, name), bytes, depth));
      if (blocks > 0) damaged.push(name);
    }
  };
  await Promise.all(Array.from({ length: TABLES_AT_ONCE }, work));
  return damaged;
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
