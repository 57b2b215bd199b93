/**
 * Measures the room again and again and admits who waits for it, whatever reclaiming is doing. Run by the
 * primary.
 */
import type { Logger } from 'pino';
import type { Admission } from './admission.ts';
import type { Space } from './space.ts';

export interface MeasuringOptions {
  readonly space: Pick<Space, 'measure'>;
  readonly admission: Pick<Admission, 'roomMayHaveCome'>;
  readonly log: Logger;
}

const MEASURE_EVERY_MS = 250;

export class Measuring {
  readonly #options: MeasuringOptions;
  #timer: NodeJS.Timeout | undefined;
  /** The measurement under way: there is never more than one. */
  #measuring: Promise<void> | undefined;
  /** Whether the last one failed: then the next failure is not told again. */
  #hasFailed = false;

  constructor(options: MeasuringOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#measure(), MEASURE_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#measuring;
  }

  /** Resolves when what is true by now was measured. */
  async now(): Promise<void> {
    // One that is under way may have begun before what the caller wants to know of.
    await this.#measuring;
    await this.#measure();
  }

  #measure(): Promise<void> {
    this.#measuring ??= this.#measureOnce().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async #measureOnce(): Promise<void> {
    const { space, admission, log } = this.#options;
    try {
      await space.measure();
      this.#hasFailed = false;
    } catch (error) {
      // It goes on with the figures of before.
      if (!this.#hasFailed) log.error({ err: error }, 'the room that is left cannot be measured');
      this.#hasFailed = true;
    }
    admission.roomMayHaveCome();
  }
}
