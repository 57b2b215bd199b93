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

/**
 * Yields each append up to the first place where none begins: the end of the file, or the torn tail
 * of a writer that died. A file without a valid header yields nothing; a missing one rejects with
 * ENOENT.
 */
export async function* scanAppends(path: string): AsyncGenerator<ScannedAppend> {
  const file = await open(path, 'r');
  try {
    const start = await readAt(file, 0, SEGMENT_HEADER_BYTES);
    if (decodeSegmentHeader(start) === undefined) return;
    const { size } = await file.stat();
    for (let at = SEGMENT_HEADER_BYTES; at < size; ) {
      const head = await readAt(file, at, APPEND_HEADER_BYTES + KEY_BYTES_IN_APPEND_MAX);
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

async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
