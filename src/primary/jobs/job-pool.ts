/**
 * The threads of the primary: they only read, so that long scans never hold up its event loop. They
 * open the index after the primary and close it before, each job anew.
 */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { moduleUrl } from '../../protocol/module-url.ts';
import type { CheckRequest, CheckResult } from './check-tables.ts';
import type { RecountRequest, RecountResult } from './recount.ts';
import type { ScanRequest, ScanResult } from './scan-entries.ts';
import type { WalkRequest, WalkResult } from './walk-segment.ts';

/** The long scans of the primary, as those see them who need their results. */
export interface Jobs {
  scanEntries(request: ScanRequest): Promise<ScanResult>;
  walkSegment(request: WalkRequest): Promise<WalkResult>;
  checkTables(request: CheckRequest): Promise<CheckResult>;
  /** The port goes over to the job. */
  recount(request: RecountRequest): Promise<RecountResult>;
}

const QUEUE_MAX = 64;
const THREAD_IDLE_MS = 10_000;

const file = (name: string): string => fileURLToPath(moduleUrl(`./${name}`, import.meta.url));

export class JobPool implements Jobs {
  readonly #pool = new Piscina({
    filename: file('scan-entries'),
    minThreads: 0,
    maxThreads: 2,
    idleTimeout: THREAD_IDLE_MS,
    maxQueue: QUEUE_MAX,
  });

  async scanEntries(request: ScanRequest): Promise<ScanResult> {
    return (await this.#pool.run(request, { filename: file('scan-entries') })) as ScanResult;
  }

  async walkSegment(request: WalkRequest): Promise<WalkResult> {
    return (await this.#pool.run(request, { filename: file('walk-segment') })) as WalkResult;
  }

  async checkTables(request: CheckRequest): Promise<CheckResult> {
    return (await this.#pool.run(request, { filename: file('check-tables') })) as CheckResult;
  }

  async recount(request: RecountRequest): Promise<RecountResult> {
    const options = { filename: file('recount'), transferList: [request.port] };
    return (await this.#pool.run(request, options)) as RecountResult;
  }

  /** Waits for the jobs that run, then ends the threads. */
  async close(): Promise<void> {
    await this.#pool.close();
  }
}
