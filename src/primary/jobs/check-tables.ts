/**
 * Job thread: checks tables of the index by their checksums, while LevelDB has them open. It reads
 * their files and nothing else.
 */
import type { TableFile } from '../store/index/index-inspection.ts';
import { checkTables as check, DamagedFilesError } from '../store/index/index-inspection.ts';

export interface CheckRequest {
  readonly indexPath: string;
  readonly tables: readonly TableFile[];
}

export interface CheckResult {
  /** Tables with damaged records in them. */
  readonly damagedTables: readonly string[];
  /** What is wrong with the first table found that LevelDB cannot use. */
  readonly broken: string | undefined;
}

export default async function checkTables({
  indexPath,
  tables,
}: CheckRequest): Promise<CheckResult> {
  const damagedTables: string[] = [];
  for (const table of tables) {
    try {
      damagedTables.push(...(await check(indexPath, [table], 'everything')));
    } catch (error) {
      if (error instanceof DamagedFilesError) return { damagedTables, broken: error.message };
      // Compacted away since.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return { damagedTables, broken: undefined };
}
