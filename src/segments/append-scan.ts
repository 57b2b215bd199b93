/**
 * Walks the appends of a segment file in their order, without their bodies. Run by job threads.
 */
import { open } from 'node:fs/promises';
import { FileWindow } from './file-window.ts';
import {
  APPEND_HEADER_BYTES,
  type AppendHeader,
  appendBytes,
  decodeAppendHeader,
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
} from './format.ts';

export interface ScannedAppend {
  /** Where the append begins in the file. */
  readonly at: number;
  readonly header: AppendHeader;
  readonly key: string;
}

/** Many small appends cost one read; of a long one little is read in vain. */
const WINDOW_BYTES = 256 * 1024;

/**
 * Yields each append up to the first place where none begins: the end of the file, or the torn tail
 * of a writer that died. A file without a valid header yields nothing; a missing one rejects with
 * ENOENT.
 */
export async function* scanAppends(path: string): AsyncGenerator<ScannedAppend> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const window = new FileWindow(file, WINDOW_BYTES);
    if (decodeSegmentHeader(await window.read(0, SEGMENT_HEADER_BYTES)) === undefined) return;
    for (let at = SEGMENT_HEADER_BYTES; at < size; ) {
      const header = decodeAppendHeader(await window.read(at, APPEND_HEADER_BYTES));
      if (header === undefined || at + appendBytes(header) > size) return;
      const key = await window.read(at + APPEND_HEADER_BYTES, header.keyBytes);
      yield { at, header, key: key.toString('utf8') };
      at += appendBytes(header);
    }
  } finally {
    await file.close();
  }
}
