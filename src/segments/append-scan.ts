/**
 * Walks the appends of a segment file in their order, without their bodies. Run by job threads.
 */
import { type FileHandle, open } from 'node:fs/promises';
import {
  APPEND_HEADER_BYTES,
  type AppendHeader,
  appendBytes,
  decodeAppendHeader,
  decodeSegmentHeader,
  KEY_BYTES_IN_APPEND_MAX,
  SEGMENT_HEADER_BYTES,
} from './format.ts';

export interface ScannedAppend {
  /** Where the append begins in the file. */
  readonly at: number;
  readonly header: AppendHeader;
  readonly key: string;
}

const HEAD_BYTES_MAX = APPEND_HEADER_BYTES + KEY_BYTES_IN_APPEND_MAX;

/**
 * Yields each append up to the first place where none begins: the end of the file, or the torn tail
 * of a writer that died. A file without a valid header yields nothing; a missing one rejects with
 * ENOENT.
 */
export async function* scanAppends(path: string): AsyncGenerator<ScannedAppend> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const window = new Window(file);
    if (decodeSegmentHeader(await window.read(0, SEGMENT_HEADER_BYTES)) === undefined) return;
    for (let at = SEGMENT_HEADER_BYTES; at < size; ) {
      const head = window.has(at) ?? (await window.read(at, HEAD_BYTES_MAX));
      const header = decodeAppendHeader(head);
      if (header === undefined || at + appendBytes(header) > size) return;
      const key = head.toString('utf8', APPEND_HEADER_BYTES, APPEND_HEADER_BYTES + header.keyBytes);
      yield { at, header, key };
      at += appendBytes(header);
    }
  } finally {
    await file.close();
  }
}

/** A stretch of a file in memory, so that many small appends cost one read. */
class Window {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(256 * 1024);
  #from = 0;
  #bytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The bytes at `at` if a whole head of an append is among them. */
  has(at: number): Buffer | undefined {
    const from = at - this.#from;
    if (from < 0 || from + HEAD_BYTES_MAX > this.#bytes) return undefined;
    return this.#buffer.subarray(from, from + HEAD_BYTES_MAX);
  }

  /** Moves to `at`; answers up to `bytes` bytes, fewer at the end of the file. */
  async read(at: number, bytes: number): Promise<Buffer> {
    this.#from = at;
    const { bytesRead } = await this.#file.read(this.#buffer, 0, this.#buffer.length, at);
    this.#bytes = bytesRead;
    return this.#buffer.subarray(0, Math.min(bytes, bytesRead));
  }
}
