/**
 * One segment that is being written, by the one process that may ever write it. Appends of a tick go
 * to the file in one writev.
 */
import { writev } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { toStoreError } from './faults.ts';
import {
  APPEND_STATE_AT,
  AppendState,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentFileName,
} from './format.ts';

/** The kernel takes at most 1,024 buffers in one writev (IOV_MAX). */
const BUFFERS_PER_WRITE_MAX = 1000;

interface QueuedWrite {
  readonly buffers: readonly Buffer[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class SegmentFile {
  readonly id: number;
  readonly #file: FileHandle;
  #end: number = SEGMENT_HEADER_BYTES;
  #written: number = SEGMENT_HEADER_BYTES;
  #queue: QueuedWrite[] = [];
  #isWriting = false;
  #flushIsDue = false;
  #failure: Error | undefined;
  readonly #onFailure: (error: Error) => void;

  private constructor(id: number, file: FileHandle, onFailure: (error: Error) => void) {
    this.id = id;
    this.#file = file;
    this.#onFailure = onFailure;
  }

  /**
   * Creates the file, which must not exist yet: a segment is never appended to by a later run.
   * Rejects with DISK_FULL or STORE_FAILED. `onFailure` is told once when the system refuses a write or
   * a sync, the creation included.
   */
  static async create(
    directory: string,
    header: SegmentHeader,
    onFailure: (error: Error) => void = () => undefined,
  ): Promise<SegmentFile> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    try {
      const file = await open(join(directory, segmentFileName(header.id)), flags, 0o644);
      try {
        await file.write(encodeSegmentHeader(header), 0, SEGMENT_HEADER_BYTES, 0);
      } catch (error) {
        await file.close();
        throw error;
      }
      return new SegmentFile(header.id, file, onFailure);
    } catch (error) {
      const failure = toStoreError(error);
      onFailure(failure);
      throw failure;
    }
  }

  /** Where the next append begins; the size of the file once all appends are written. */
  get end(): number {
    return this.#end;
  }

  /** Whether a write has failed: then nothing more is written to this file. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Appends `buffers` as one piece. Its place is known at once (`end` before the call); the promise
   * resolves when the bytes are in the file. The buffers must not change until then.
   */
  append(buffers: readonly Buffer[], bytes: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#end += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ buffers, bytes, resolve, reject });
      this.#scheduleFlush();
    });
  }

  /** Overwrites bytes that were appended before: the header of a streamed append, made at its end. */
  async overwrite(bytes: Buffer, at: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.#file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
      }
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Marks the append that begins at `at` as refused, so that no rebuild takes it for an entry. */
  async void(at: number): Promise<void> {
    await this.overwrite(Buffer.from([AppendState.void]), at + APPEND_STATE_AT);
  }

  /** Puts on disk what was appended so far. A file for which that fails is given up. */
  async sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await this.#file.datasync();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Writes nothing more to the file; what waits to be written is refused with `error`. */
  giveUp(error: Error): void {
    this.#failure ??= error;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #scheduleFlush(): void {
    if (this.#isWriting || this.#flushIsDue) return;
    this.#flushIsDue = true;
    setImmediate(() => {
      this.#flushIsDue = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        if (this.#failure !== undefined) throw this.#failure;
        await this.#writeAll(batch.flatMap((write) => write.buffers));
        for (const write of batch) write.resolve();
      } catch (error) {
        const failure = this.#fail(error);
        for (const write of batch) write.reject(failure);
      }
    }
    this.#isWriting = false;
  }

  #takeBatch(): QueuedWrite[] {
    let buffers = 0;
    let count = 0;
    for (const write of this.#queue) {
      buffers += write.buffers.length;
      if (count > 0 && buffers > BUFFERS_PER_WRITE_MAX) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #writeAll(buffers: Buffer[]): Promise<void> {
    let rest = buffers;
    while (rest.length > 0) {
      const written = await writevAt(this.#file.fd, rest, this.#written);
      this.#written += written;
      rest = dropBytes(rest, written);
    }
  }

  /** After a failed write the file's end is unknown, so the file is given up. */
  #fail(error: unknown): Error {
    if (this.#failure === undefined) {
      this.#failure = toStoreError(error);
      this.#onFailure(this.#failure);
    }
    return this.#failure;
  }
}

function writevAt(descriptor: number, buffers: Buffer[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(descriptor, buffers, position, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}

/** What is left of `buffers` after a write that may have been short. */
function dropBytes(buffers: Buffer[], bytes: number): Buffer[] {
  let left = bytes;
  let index = 0;
  for (const buffer of buffers) {
    if (buffer.length > left) break;
    left -= buffer.length;
    index += 1;
  }
  const rest = buffers.slice(index);
  const first = rest[0];
  if (first !== undefined && left > 0) rest[0] = first.subarray(left);
  return rest;
}
