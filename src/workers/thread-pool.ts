/**
 * Threads of a worker that take what would hold its event loop up. They are started when they are needed, and
 * refuse what they are given as the loop itself would.
 */
import { Piscina } from 'piscina';
import { BigCacheError, type ErrorCode } from '../protocol/errors.ts';

/** Starting a thread costs some 30 ms, so it waits this long for its next task. */
const IDLE_TIMEOUT_MS = 10_000;

export interface ThreadPoolOptions {
  /** The module that a thread runs. */
  readonly filename: string;
  readonly threadsMax: number;
  /** Tasks that wait for a thread. */
  readonly queueMax: number;
}

/** Why a task was refused: the class of an error does not survive the way between threads, its code does. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** In a thread: what is handed back of an error. Throws what is no BigCacheError again. */
export function refusalFrom(error: unknown): Refusal {
  if (!(error instanceof BigCacheError)) throw error;
  return { code: error.code, detail: error.message };
}

export class ThreadPool<Task, Result extends { readonly refusal?: Refusal }> {
  readonly #options: ThreadPoolOptions;
  #pool: Piscina<Task, Result> | undefined;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /** Runs `task`, to which `bytes` are moved. Rejects with its refusal, or with OVERLOADED. */
  async run(task: Task, bytes: ArrayBuffer): Promise<Result> {
    this.#pool ??= this.#start();
    if (this.#pool.queueSize >= this.#options.queueMax) throw new BigCacheError('OVERLOADED');
    const result = await this.#pool.run(task, { transferList: [bytes] });
    const { refusal } = result;
    if (refusal !== undefined) throw new BigCacheError(refusal.code, refusal.detail);
    return result;
  }

  /** Ends the threads; tasks under way reject. */
  async close(): Promise<void> {
    await this.#pool?.destroy();
  }

  #start(): Piscina<Task, Result> {
    const { filename, threadsMax, queueMax } = this.#options;
    return new Piscina({
      filename,
      minThreads: 0,
      maxThreads: threadsMax,
      idleTimeout: IDLE_TIMEOUT_MS,
      maxQueue: queueMax,
      // Nobody reads the histograms, of 360 KiB each.
      recordTiming: false,
    });
  }
}
