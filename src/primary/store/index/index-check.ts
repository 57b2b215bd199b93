/**
 * Checks the tables of a large index while it is served, in job threads started by the primary: before
 * the open it would take too long. Until all are checked, a file says so, and a start that follows two
 * which ended before that checks them first.
 */
import type { Logger } from 'pino';
import type { Jobs } from '../../jobs/job-pool.ts';
import { endChecking, requireCheck, type TableFile } from './index-inspection.ts';

export interface IndexCheckOptions {
  readonly jobs: Pick<Jobs, 'checkTables'>;
  readonly indexPath: string;
  readonly tables: readonly TableFile[];
  readonly log: Logger;
}

/** Told of tables that LevelDB can use although some of what they hold is damaged. */
export const DAMAGED_RECORDS =
  'tables of the index hold damaged records; their entries will be misses when they are read';

/** Some 32 MiB, so that a stop does not wait long. */
const TABLES_PER_JOB = 4;

export class IndexCheck {
  readonly #options: IndexCheckOptions;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #isBroken = false;

  constructor(options: IndexCheckOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.tables.length > 0) this.#running ??= this.#run();
  }

  /** Ends the check. What was not found broken until now did no harm until now. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    if (this.#running !== undefined && !this.#isBroken) await endChecking(this.#options.indexPath);
  }

  async #run(): Promise<void> {
    const { jobs, indexPath, tables, log } = this.#options;
    try {
      for (let at = 0; at < tables.length && !this.#isStopped; at += TABLES_PER_JOB) {
        const some = tables.slice(at, at + TABLES_PER_JOB);
        const { damagedTables, broken } = await jobs.checkTables({ indexPath, tables: some });
        if (damagedTables.length > 0) log.error({ tables: damagedTables }, DAMAGED_RECORDS);
        if (broken === undefined) continue;
        this.#isBroken = true;
        await requireCheck(indexPath);
        log.fatal(
          { damage: broken },
          'the index is damaged so that LevelDB may end the process; the next start will refuse it',
        );
      }
      if (!this.#isStopped && !this.#isBroken) await endChecking(indexPath);
    } catch (error) {
      // A later start checks what was not checked now.
      log.error({ err: error }, 'the tables of the index could not be checked');
    }
  }
}
