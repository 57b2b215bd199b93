/**
 * How far a long command is: one line that is written anew on a terminal, a plain line every few
 * seconds elsewhere.
 */
import { showBytes } from './sizes.ts';

export interface ProgressOutput {
  readonly isTTY: boolean;
  write(text: string): void;
}

/** Where commands tell how far they are, so that their output proper can be redirected. */
export const STDERR: ProgressOutput = {
  isTTY: process.stderr.isTTY,
  write: (text) => process.stderr.write(text),
};

/** What is counted: `bytes` are shown as a size, other words follow the number. */
export type ProgressUnit = 'bytes' | (string & {});

export interface ProgressOptions {
  readonly unit?: ProgressUnit;
  /** What is being done, where a command does several things. */
  readonly label?: string;
  readonly now?: () => number;
}

const BAR_CELLS = 30;
const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 5000;

export class Progress {
  readonly #output: ProgressOutput;
  readonly #unit: ProgressUnit;
  readonly #label: string;
  readonly #now: () => number;
  readonly #startedAtMs: number;
  #shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(output: ProgressOutput, options: ProgressOptions = {}) {
    this.#output = output;
    this.#unit = options.unit ?? 'entries';
    this.#label = options.label === undefined ? '' : `${options.label}  `;
    this.#now = options.now ?? Date.now;
    this.#startedAtMs = this.#now();
  }

  /** Shows that `share` (0 to 1) is done, and the count; not more often than is useful. */
  show(share: number, count: number): void {
    const nowMs = this.#now();
    const everyMs = this.#output.isTTY ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS;
    if (nowMs - this.#shownAtMs < everyMs) return;
    this.#shownAtMs = nowMs;
    const percent = `${Math.floor(share * 100)} %`;
    const counts = this.#counts(count, Math.max((nowMs - this.#startedAtMs) / 1000, 0.001));
    if (!this.#output.isTTY) {
      this.#output.write(`${this.#label}${percent}  ${counts}\n`);
      return;
    }
    const filled = Math.round(share * BAR_CELLS);
    const bar = '#'.repeat(filled).padEnd(BAR_CELLS, '.');
    this.#output.write(`\r\u001b[K${this.#label}[${bar}] ${percent.padStart(5)}  ${counts}`);
  }

  /** Ends the line, so that what follows stands on its own. */
  end(): void {
    if (this.#output.isTTY) this.#output.write('\r\u001b[K');
  }

  /** The count so far and per second. */
  #counts(count: number, seconds: number): string {
    const perSecond = Math.round(count / seconds);
    if (this.#unit === 'bytes') return `${showBytes(count)}  ${showBytes(perSecond)}/s`;
    return `${count} ${this.#unit}  ${perSecond}/s`;
  }
}
