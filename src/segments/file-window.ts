/**
 * A file read from front to back in big pieces: what lies within the piece at hand costs no read. Used
 * by whoever looks through whole segments: job threads and commands.
 */
import type { FileHandle } from 'node:fs/promises';

export class FileWindow {
  readonly #file: FileHandle;
  readonly #buffer: Buffer;
  #from = 0;
  #bytes = 0;

  /** `bytes` is the size of a piece, and the most that one read gives. */
  constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  get size(): number {
    return this.#buffer.length;
  }

  /**
   * `bytes` bytes from `at` on, fewer at the end of the file. They are valid until the next read that
   * asks for others. REQUIRES: `bytes` is at most the size of the window.
   */
  async read(at: number, bytes: number): Promise<Buffer> {
    const isHeld = at >= this.#from && at + bytes <= this.#from + this.#bytes;
    if (!isHeld) await this.#fill(at);
    const from = at - this.#from;
    return this.#buffer.subarray(from, Math.min(from + bytes, this.#bytes));
  }

  async #fill(at: number): Promise<void> {
    this.#from = at;
    this.#bytes = 0;
    while (this.#bytes < this.#buffer.length) {
      const left = this.#buffer.length - this.#bytes;
      const read = await this.#file.read(this.#buffer, this.#bytes, left, at + this.#bytes);
      if (read.bytesRead === 0) return;
      this.#bytes += read.bytesRead;
    }
  }
}
