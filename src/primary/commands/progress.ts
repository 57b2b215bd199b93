/**
 * How far a long command is: one line that is written anew on a terminal, a plain line every few
 * seconds elsewhere.
 */

export interface ProgressOutput {
  readonly isTTY: boolean;
  write(text: string): void;
}

/** Where commands tell how far they are, so that their output proper can be redirected. */
export const STDERR: ProgressOutput = {
  isTTY: process.stderr.isTTY,
  write: (text) => process.stderr.write(text),
};

const BAR_CELLS = 30;
const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 5000;

export class Progress {
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #startedAtMs: number;
  #shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(output: ProgressOutput, now: () => number = Date.now) {
    this.#output = output;
    this.#now = now;
    this.#startedAtMs = now();
  }

  /** Shows that `share` (0 to 1) is done and `entries` are; not more often than is useful. */
  show(share: number, entries: number): void {
    const nowMs = this.#now();
    const everyMs = this.#output.isTTY ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS;
    if (nowMs - this.#shownAtMs < everyMs) return;
    this.#shownAtMs = nowMs;
    const seconds = Math.max((nowMs - this.#startedAtMs) / 1000, 0.001);
    const text =
      `${String(Math.floor(share * 100)).padStart(3)} %  ${entries} entries  ` +
      `${Math.round(entries / seconds)}/s`;
    if (!this.#output.isTTY) {
      this.#output.write(`${text.trim()}\n`);
      return;
    }
    const filled = Math.round(share * BAR_CELLS);
    const bar = '#'.repeat(filled).padEnd(BAR_CELLS, '.');
    this.#output.write(`\r\u001b[K[${bar}] ${text}`);
  }

  /** Ends the line, so that what follows stands on its own. */
  end(): void {
    if (this.#output.isTTY) this.#output.write('\r\u001b[K');
  }
}
