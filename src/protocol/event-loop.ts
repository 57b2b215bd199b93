/** How late the event loop of this process is, and how busy: measured by each process for itself. */
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';

/** A timer of this period is watched; what it is late by is the delay. */
const RESOLUTION_MS = 20;
/** Figures are those of the last whole window, so that no reader takes them from another. */
const WINDOW_MS = 10_000;
const NS_PER_MS = 1e6;

export interface LoopFigures {
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly loopUtilization: number;
}

export class EventLoopWatch {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #windowBeganAtMs = performance.now();
  #busyBefore: EventLoopUtilization = performance.eventLoopUtilization();
  #lastWindow: LoopFigures | undefined;

  constructor() {
    this.#delay.enable();
  }

  /** Of the last window; of the one under way while there was none. */
  get figures(): LoopFigures {
    if (performance.now() - this.#windowBeganAtMs >= WINDOW_MS) this.#endWindow();
    return this.#lastWindow ?? this.#measured();
  }

  stop(): void {
    this.#delay.disable();
  }

  #endWindow(): void {
    this.#lastWindow = this.#measured();
    this.#windowBeganAtMs = performance.now();
    this.#busyBefore = performance.eventLoopUtilization();
    this.#delay.reset();
  }

  #measured(): LoopFigures {
    const busy = performance.eventLoopUtilization(this.#busyBefore);
    return {
      loopDelayP50Ms: lateMs(this.#delay.percentile(50)),
      loopDelayP99Ms: lateMs(this.#delay.percentile(99)),
      loopDelayMaxMs: lateMs(this.#delay.max),
      loopUtilization: Math.min(1, Math.max(0, busy.utilization)),
    };
  }
}

/** Without a single measurement the largest is 0 and the percentiles too. */
function lateMs(periodNs: number): number {
  return Math.max(0, periodNs / NS_PER_MS - RESOLUTION_MS);
}
