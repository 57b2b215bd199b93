/**
 * Copies whole appends from one segment to another, verified: what is not as it was written is not
 * copied. Run by job threads, which may wait for the disk.
 */
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EntryRecord } from '../protocol/record.ts';
import type { ScannedAppend } from './append-scan.ts';
import { blocksMatch } from './checksum.ts';
import {
  APPEND_HEADER_BYTES,
  appendBytes,
  appendIsIntact,
  encodeAppendHead,
  encodeAppendMeta,
  encodeSegmentHeader,
  type SegmentHeader,
  segmentFileName,
} from './format.ts';

/** A segment that is being read from. */
export class AppendSource {
  readonly #fd: number;
  #buffer: Buffer = Buffer.allocUnsafe(256 * 1024);

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  /**
   * The bytes of an append, valid until the next call; undefined when they are not as they were
   * written.
   */
  read({ at, header }: ScannedAppend): Buffer | undefined {
    const bytes = this.#readAt(at, appendBytes(header));
    if (bytes === undefined) return undefined;
    const keyEnd = APPEND_HEADER_BYTES + header.keyBytes;
    const bodyEnd = keyEnd + header.bodyBytes;
    const checksumEnd = bodyEnd + header.checksumBytes;
    const checksums = bytes.subarray(bodyEnd, checksumEnd);
    const isWhole =
      appendIsIntact(
        bytes,
        bytes.subarray(APPEND_HEADER_BYTES, keyEnd),
        checksums,
        bytes.subarray(checksumEnd),
      ) && blocksMatch(bytes.subarray(keyEnd, bodyEnd), checksums, 0);
    return isWhole ? bytes : undefined;
  }

  /**
   * An append of the same entry, made of its record and of the body where that says; undefined when the
   * body is not as it was written. For a body whose checksums stand in the record.
   */
  remake(key: Buffer, entry: EntryRecord): Buffer | undefined {
    const { kind, pointer, storedBytes } = entry;
    const body = this.#readAt(pointer.offset, storedBytes);
    if (body === undefined || !blocksMatch(body, entry.checksums, 0)) return undefined;
    const { checksums } = entry;
    const meta = encodeAppendMeta(entry);
    const head = encodeAppendHead({ kind, key, bodyBytes: storedBytes, checksums, meta });
    return Buffer.concat([head, body, checksums, meta]);
  }

  /** Valid until the next call; undefined where the file is shorter. */
  #readAt(at: number, length: number): Buffer | undefined {
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafe(length);
    const bytes = this.#buffer.subarray(0, length);
    for (let done = 0; done < length; ) {
      const read = readSync(this.#fd, bytes, done, length - done, at + done);
      if (read === 0) return undefined;
      done += read;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** A segment that is being written by a job, as its only writer ever. */
export class AppendTarget {
  readonly id: number;
  readonly #fd: number;
  #end: number;

  /** Creates the file, which must not exist yet. */
  static create(directory: string, header: SegmentHeader): AppendTarget {
    const fd = openSync(join(directory, segmentFileName(header.id)), 'wx', 0o644);
    const target = new AppendTarget(header.id, fd, 0);
    target.append(encodeSegmentHeader(header));
    return target;
  }

  /** Goes on behind what this writer wrote before, up to `end`. */
  static resume(directory: string, id: number, end: number): AppendTarget {
    return new AppendTarget(id, openSync(join(directory, segmentFileName(id)), 'r+'), end);
  }

  private constructor(id: number, fd: number, end: number) {
    this.id = id;
    this.#fd = fd;
    this.#end = end;
  }

  /** Where the next append begins. */
  get end(): number {
    return this.#end;
  }

  /** Appends; answers where the bytes begin. */
  append(bytes: Buffer): number {
    const at = this.#end;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, at + done);
    }
    this.#end += bytes.length;
    return at;
  }

  /** All that was appended is on disk. */
  sync(): void {
    fdatasyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
