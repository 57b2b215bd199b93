/**
 * Log lines of requests that took long, so few that a flood of them does not become a flood of lines: what
 * is left out is counted, and the count is told.
 */
import type { WorkerCounts } from '../../protocol/figures.ts';
import type { Log } from '../deps.ts';

/** What a line says. Times are milliseconds. */
export interface SlowRequest {
  readonly requestId: string;
  readonly route: string;
  readonly method: string;
  readonly key?: string;
  readonly status: number;
  /** Of the body of the answer; absent where its length is not known before it ends. */
  readonly bytes?: number;
  readonly totalMs: number;
  readonly storeMs: number;
  /** Time that a lease was waited for on purpose, which is not in the total. */
  readonly waitedMs?: number;
}

const WINDOW_MS = 10_000;
export const SLOW_LINES_PER_WINDOW_MAX = 20;

export interface SlowLogOptions {
  readonly log: Pick<Log, 'warn'>;
  readonly counts: Pick<WorkerCounts, 'slowRequests' | 'slowLinesLeftOut'>;
}

export class SlowLog {
  readonly #options: SlowLogOptions;
  /** Ends the window; undefined while none is open. */
  #window: NodeJS.Timeout | undefined;
  #lines = 0;
  #leftOut = 0;

  constructor(options: SlowLogOptions) {
    this.#options = options;
  }

  /** Notes a slow request; `describe` is only asked where a line is written. */
  note(describe: () => SlowRequest): void {
    const { counts, log } = this.#options;
    counts.slowRequests += 1;
    this.#window ??= setTimeout(() => this.#endWindow(), WINDOW_MS).unref();
    if (this.#lines >= SLOW_LINES_PER_WINDOW_MAX) {
      this.#leftOut += 1;
      counts.slowLinesLeftOut += 1;
      return;
    }
    this.#lines += 1;
    log.warn(describe(), 'a request was slow');
  }

  /** Tells what was left out until now. */
  close(): void {
    clearTimeout(this.#window);
    this.#endWindow();
  }

  #endWindow(): void {
    this.#window = undefined;
    this.#lines = 0;
    if (this.#leftOut === 0) return;
    this.#options.log.warn({ leftOut: this.#leftOut }, 'more requests were slow than are told');
    this.#leftOut = 0;
  }
}
