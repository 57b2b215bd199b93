/**
 * The reserve: a file that takes room for nothing, so that there is some to be had when the disk is
 * full and the index must be opened again. Made and given up by the primary.
 */
import { randomFillSync } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreDirectory } from '../../directory/directory.ts';

const MiB = 1024 * 1024;
const RESERVE_BYTES = 64 * MiB;
/** In a small store the reserve stays a small part of it. */
const SHARE_OF_STORE = 1 / 16;
const CHUNK_BYTES = MiB;

/** How large the reserve of a store of this limit is; 0 stands for no limit. */
export function reserveBytesFor(storeBytesMax: number): number {
  if (storeBytesMax === 0) return RESERVE_BYTES;
  return Math.min(RESERVE_BYTES, Math.floor(storeBytesMax * SHARE_OF_STORE));
}

export class Reserve {
  readonly #path: string;
  readonly #partialPath: string;
  readonly #bytes: number;

  constructor(directory: Pick<StoreDirectory, 'path'>, storeBytesMax: number) {
    this.#path = join(directory.path, 'reserve');
    this.#partialPath = join(directory.path, '.reserve.partial');
    this.#bytes = reserveBytesFor(storeBytesMax);
  }

  get bytes(): number {
    return this.#bytes;
  }

  async isWhole(): Promise<boolean> {
    const found = await stat(this.#path).catch(() => undefined);
    return found?.size === this.#bytes;
  }

  /**
   * Makes the reserve, slowly; `mayGoOn` is asked before each MiB. False when it was not made. Its
   * bytes are random, since a file system that compresses would keep no room for zeros.
   */
  async make(mayGoOn: () => boolean): Promise<boolean> {
    await rm(this.#path, { force: true });
    const file = await open(this.#partialPath, 'w');
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let done = 0; done < this.#bytes; done += CHUNK_BYTES) {
        if (!mayGoOn()) return false;
        randomFillSync(chunk);
        await file.write(chunk, 0, Math.min(CHUNK_BYTES, this.#bytes - done));
      }
      await file.sync();
      await rename(this.#partialPath, this.#path);
      return true;
    } finally {
      await file.close();
      await rm(this.#partialPath, { force: true });
    }
  }

  /** Gives the room back; false when there was no reserve. */
  async giveUp(): Promise<boolean> {
    const isThere = (await stat(this.#path).catch(() => undefined)) !== undefined;
    await rm(this.#path, { force: true });
    await rm(this.#partialPath, { force: true });
    return isThere;
  }
}
