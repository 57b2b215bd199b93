/**
 * Brings files from one store's directory into another, by a second name where the file system allows
 * it and by a copy elsewhere, and onto the disk. Run by the primary and by commands.
 */
import { type FileHandle, link, open } from 'node:fs/promises';
import { syncFile } from '../../directory/durable-files.ts';
import { isNoLink } from '../../directory/second-name.ts';
import type { RateLimit } from '../space/rate-limit.ts';

const PIECE_BYTES = 1024 * 1024;

export interface FilePlacerOptions {
  readonly pace: RateLimit;
  readonly signal: AbortSignal;
  /** Told the bytes of each piece, linked files at once. */
  readonly onBytes?: (bytes: number) => void;
  /** Makes the second name; the system's, unless a test says otherwise. */
  readonly link?: (source: string, target: string) => Promise<void>;
}

/** What was placed so far. */
export interface Placed {
  linkedFiles: number;
  linkedBytes: number;
  copiedFiles: number;
  copiedBytes: number;
}

export class FilePlacer {
  readonly #options: FilePlacerOptions;
  readonly placed: Placed = { linkedFiles: 0, linkedBytes: 0, copiedFiles: 0, copiedBytes: 0 };

  constructor(options: FilePlacerOptions) {
    this.#options = options;
  }

  /**
   * Gives the file a second name, or copies it. REQUIRES: it is never written in place again, which
   * holds for sealed segments and for what an earlier opening of LevelDB left behind.
   */
  async place(source: string, target: string): Promise<void> {
    this.#options.signal.throwIfAborted();
    try {
      await (this.#options.link ?? link)(source, target);
    } catch (error) {
      if (!isNoLink(error)) throw error;
      await this.copy(source, target);
      return;
    }
    const bytes = await syncFile(target);
    this.placed.linkedFiles += 1;
    this.placed.linkedBytes += bytes;
    this.#options.onBytes?.(bytes);
  }

  /** Copies the first `bytesMax` bytes of a file, which may grow meanwhile, onto the disk. */
  async copy(source: string, target: string, bytesMax = Number.POSITIVE_INFINITY): Promise<void> {
    const from = await open(source, 'r');
    try {
      const to = await open(target, 'wx', 0o644);
      try {
        const bytes = await this.#copyBytes(from, to, bytesMax);
        await to.datasync();
        this.placed.copiedBytes += bytes;
      } finally {
        await to.close();
      }
    } finally {
      await from.close();
    }
    this.placed.copiedFiles += 1;
  }

  async #copyBytes(from: FileHandle, to: FileHandle, bytesMax: number): Promise<number> {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    let done = 0;
    while (done < bytesMax) {
      const wanted = Math.min(PIECE_BYTES, bytesMax - done);
      const { bytesRead } = await from.read(piece, 0, wanted, done);
      if (bytesRead === 0) break;
      await to.writeFile(piece.subarray(0, bytesRead));
      done += bytesRead;
      this.#options.onBytes?.(bytesRead);
      await this.#options.pace.take(bytesRead, this.#options.signal);
      this.#options.signal.throwIfAborted();
    }
    return done;
  }
}
