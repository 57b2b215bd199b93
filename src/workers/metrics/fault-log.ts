/**
 * Log lines of the system's faults behind what clients are refused with: a disk that cannot be read,
 * descriptors that are used up. A failing disk fails many requests in the same way, so few lines say it.
 * Run by workers.
 */
import type { Log } from '../deps.ts';

/** What was refused, or cut off, for the fault. */
export interface FaultyRequest {
  readonly requestId: string;
  readonly method: string;
}

const TOLD_EVERY_MS = 5000;

export class FaultLog {
  readonly #log: Pick<Log, 'error'>;
  readonly #elapsedMs: () => number;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #leftOut = 0;

  constructor(log: Pick<Log, 'error'>, elapsedMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#elapsedMs = elapsedMs;
  }

  /** Notes the fault behind `request`. What is left out is counted in the next line. */
  note(fault: unknown, request: FaultyRequest): void {
    const nowMs = this.#elapsedMs();
    if (nowMs - this.#toldAtMs < TOLD_EVERY_MS) {
      this.#leftOut += 1;
      return;
    }
    const { requestId, method } = request;
    const leftOut = this.#leftOut === 0 ? {} : { leftOut: this.#leftOut };
    this.#log.error({ err: fault, requestId, method, ...leftOut }, 'a request met a fault');
    this.#toldAtMs = nowMs;
    this.#leftOut = 0;
  }
}
