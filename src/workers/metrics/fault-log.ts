/**
 * Log lines of the system's faults behind what clients are refused with: a disk that cannot be read,
 * descriptors that are used up. A failing disk fails many requests in the same way, so few lines say it.
 * Run by workers.
 */
import { Seldom } from '../../protocol/seldom.ts';
import type { Log } from '../deps.ts';

/** What was refused, or cut off, for the fault. */
export interface FaultyRequest {
  readonly requestId: string;
  readonly method: string;
}

const TOLD_EVERY_MS = 5000;

export class FaultLog {
  readonly #log: Pick<Log, 'error'>;
  readonly #seldom: Seldom;

  constructor(log: Pick<Log, 'error'>, elapsedMs?: () => number) {
    this.#log = log;
    this.#seldom = new Seldom(TOLD_EVERY_MS, elapsedMs);
  }

  /** Notes the fault behind `request`. What is left out is counted in the next line. */
  note(fault: unknown, request: FaultyRequest): void {
    const leftOut = this.#seldom.pass();
    if (leftOut === undefined) return;
    const { requestId, method } = request;
    const more = leftOut === 0 ? {} : { leftOut };
    this.#log.error({ err: fault, requestId, method, ...more }, 'a request met a fault');
  }
}
