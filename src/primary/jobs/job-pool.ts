/**
 * The threads of the primary: they only read, so that long scans never hold up its event loop. They
 * open the index after the primary and close it before, each job anew.
 */
import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { moduleUrl } from '../../protocol/module-url.ts';
import type { CheckRequest, CheckResult } from './check-tables.ts';
import type { CopyRequest, CopyResult } from './copy-messages.ts';
import type { CountRequest, CountResult } from './count-matching.ts';
import type { ExportRequest, ExportResult } from './export-index.ts';
import type { PointingRequest, PointingResult } from './find-pointing.ts';
import type { RecountRequest, RecountResult } from './recount.ts';
import type { ScanRequest, ScanResult } from './scan-entries.ts';
import type { WalkRequest, WalkResult } from './walk-segment.ts';

/** The long scans of the primary, as those see them who need their results. */
export interface Jobs {
  scanEntries(request: ScanRequest): Promise<ScanResult>;
  walkSegment(request: WalkRequest): Promise<WalkResult>;
  copySegment(request: CopyRequest): Promise<CopyResult>;
  findPointing(request: PointingRequest): Promise<PointingResult>;
  /** Speaks over `port`, which goes to the thread; see export-index.ts. */
  exportIndex(request: ExportRequest, port: MessagePort): Promise<ExportResult>;
  checkTables(request: CheckRequest): Promise<CheckResult>;
  /** The port goes over to the job. */
  recount(request: RecountRequest): Promise<RecountResult>;
  countMatching(request: CountRequest): Promise<CountResult>;
}

/** One each for the hand, the reclaimer, the walk before a drop, and a backup or recount. */
const THREADS_MAX = 4;
const QUEUE_MAX = 64;
const THREAD_IDLE_MS = 10_000;

/** Nobody reads its timings, and the two histograms for them would cost 700 KiB each time a pool is made. */
const UNTIMED = { recordTiming: false };

const file = (name: string): string => fileURLToPath(moduleUrl(`./${name}`, import.meta.url));

export class JobPool implements Jobs {
  readonly #pool = new Piscina({
    ...UNTIMED,
    filename: file('scan-entries'),
    minThreads: 0,
    maxThreads: THREADS_MAX,
    idleTimeout: THREAD_IDLE_MS,
    maxQueue: QUEUE_MAX,
  });
  readonly #exports = new Piscina({
    ...UNTIMED,
    filename: file('export-index'),
    minThreads: 0,
    maxThreads: 1,
  });

  readonly #counts = new Piscina({
    ...UNTIMED,
    filename: file('count-matching'),
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: THREAD_IDLE_MS,
  });

  async scanEntries(request: ScanRequest): Promise<ScanResult> {
    return (await this.#pool.run(request, { filename: file('scan-entries') })) as ScanResult;
  }

  async walkSegment(request: WalkRequest): Promise<WalkResult> {
    return (await this.#pool.run(request, { filename: file('walk-segment') })) as WalkResult;
  }

  async copySegment(request: CopyRequest): Promise<CopyResult> {
    const options = { filename: file('copy-segment'), transferList: [request.port] };
    return (await this.#pool.run(request, options)) as CopyResult;
  }

  async findPointing(request: PointingRequest): Promise<PointingResult> {
    return (await this.#pool.run(request, { filename: file('find-pointing') })) as PointingResult;
  }

  /** In a thread of its own: it takes minutes, and the others are waited for. */
  async exportIndex(request: ExportRequest, port: MessagePort): Promise<ExportResult> {
    const task = { ...request, port };
    return (await this.#exports.run(task, { transferList: [port] })) as ExportResult;
  }

  async checkTables(request: CheckRequest): Promise<CheckResult> {
    return (await this.#pool.run(request, { filename: file('check-tables') })) as CheckResult;
  }

  async recount(request: RecountRequest): Promise<RecountResult> {
    const options = { filename: file('recount'), transferList: [request.port] };
    return (await this.#pool.run(request, options)) as RecountResult;
  }

  /** In a thread of its own, so that the hand never waits for it. */
  async countMatching(request: CountRequest): Promise<CountResult> {
    return (await this.#counts.run(request)) as CountResult;
  }

  /**
   * Waits for `ending`; what still runs after `ms` is cut off. Resolves when no thread is left: one that
   * still had the index open would keep a failed handle alive for the next open to find.
   */
  async endWithin(ms: number, ending: Promise<unknown>): Promise<void> {
    let cutting: Promise<void> | undefined;
    const cut = setTimeout(() => {
      cutting = this.#pool.destroy();
    }, ms);
    try {
      await ending;
    } finally {
      clearTimeout(cut);
      await cutting;
    }
  }

  /** Waits for the jobs that run, then ends the threads. */
  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#exports.close(), this.#counts.close()]);
  }
}
