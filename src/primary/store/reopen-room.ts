/**
 * The room that an index needs to be opened again, taken as a file before the index is closed: what is
 * only free may be written full by others in between, and then neither reads nor writes would work.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreDirectory } from '../directory/directory.ts';
import { isLackOfRoom } from './room.ts';

const CHUNK_BYTES = 1024 * 1024;
const FILE_NAME = '.reopening';

export class ReopenRoom {
  readonly #path: string;
  readonly #bytes: number;
  #file: FileHandle | undefined;
  #heldBytes = 0;

  /** `bytes` is what is to be held. */
  constructor(directory: Pick<StoreDirectory, 'path'>, bytes: number) {
    this.#path = join(directory.path, FILE_NAME);
    this.#bytes = bytes;
  }

  /**
   * Takes what is still missing from what is free; keeps what it got. True once all is held and the
   * disk has taken it, which also shows that it takes writes again. Throws what a disk throws that
   * fails in another way than by being full.
   */
  async hold(): Promise<boolean> {
    this.#file ??= await open(this.#path, 'w');
    const chunk = Buffer.alloc(CHUNK_BYTES, 1);
    try {
      while (this.#heldBytes < this.#bytes) {
        const length = Math.min(CHUNK_BYTES, this.#bytes - this.#heldBytes);
        const { bytesWritten } = await this.#file.write(chunk, 0, length, this.#heldBytes);
        this.#heldBytes += bytesWritten;
      }
      await this.#file.sync();
      return true;
    } catch (error) {
      if (isLackOfRoom(error)) return false;
      throw error;
    }
  }

  /** Gives half of the room back to the disk, or what is left of it; true when more is still held. */
  async release(): Promise<boolean> {
    const half = Math.ceil(this.#bytes / 2);
    this.#heldBytes = this.#heldBytes > half ? this.#heldBytes - half : 0;
    await this.#file?.truncate(this.#heldBytes);
    return this.#heldBytes > 0;
  }

  /** Gives all of it back. */
  async drop(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#heldBytes = 0;
    await rm(this.#path, { force: true });
  }
}
