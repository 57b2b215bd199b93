/**
 * How far a backup or a restore is: one share out of entries that are exported and bytes that are
 * placed.
 */

/** An entry of the index takes about this many bytes, so that it weighs what its copying costs. */
const BYTES_PER_ENTRY = 200;

export class ShareDone {
  readonly #tell: ((share: number, entries: number) => void) | undefined;
  #bytes = 0;
  #entries = 0;
  #expectedBytes = 0;

  constructor(tell: ((share: number, entries: number) => void) | undefined) {
    this.#tell = tell;
  }

  /** What there is to do from here on. */
  expect(entries: number, bytes: number): void {
    this.#bytes = 0;
    this.#expectedBytes = entries * BYTES_PER_ENTRY + bytes;
    this.#show();
  }

  exported(entries: number): void {
    this.#entries = entries;
    this.#show();
  }

  placed(bytes: number): void {
    this.#bytes += bytes;
    this.#show();
  }

  #show(): void {
    if (this.#expectedBytes === 0) return;
    const done = this.#bytes + this.#entries * BYTES_PER_ENTRY;
    this.#tell?.(Math.min(1, done / this.#expectedBytes), this.#entries);
  }
}
