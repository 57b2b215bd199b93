/**
 * Walks a segment file and verifies all of it: header, appends, bodies. Says what is sound, what is
 * damaged, and what the end of the file is. Used by the commands that check a store or make its index
 * anew; the primary's own walk over keys is append-scan.ts.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK_BYTES, blockCount, blocksMatch, CHECKSUM_BYTES } from './checksum.ts';
import { FileWindow } from './file-window.ts';
import {
  APPEND_HEADER_BYTES,
  type AppendHeader,
  appendBytes,
  appendIsIntact,
  decodeAppendFields,
  decodeAppendHeader,
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './format.ts';

/** An append whose header, key, table of checksums and meta are as they were written. */
export interface VerifiedAppend {
  /** Where it begins in the file. */
  readonly at: number;
  readonly header: AppendHeader;
  readonly key: string;
  /** Where its body begins; what a record points to. */
  readonly bodyAt: number;
  /** The checksum of each block of the body. Valid until the next step. */
  readonly table: Buffer;
  /** Valid until the next step. */
  readonly meta: Buffer;
}

export type WalkStep =
  /** `bodyIsIntact` is undefined where bodies are not read. */
  | {
      readonly what: 'append';
      readonly append: VerifiedAppend;
      readonly bodyIsIntact: boolean | undefined;
    }
  /** An append that is not as it was written, and whose lengths lead on to where the next begins. */
  | { readonly what: 'damaged'; readonly at: number; readonly bytes: number }
  /**
   * The rest of the file, in which no append is found. It is torn when it is what a writer leaves
   * that dies: an append that is cut off, or zeros in the place of its header.
   */
  | {
      readonly what: 'tail';
      readonly at: number;
      readonly bytes: number;
      readonly isTorn: boolean;
    };

/** Whole blocks, so that long bodies are verified piece by piece. */
const WINDOW_BYTES = 32 * BLOCK_BYTES;
/** Where bodies are not read, a long one is jumped over. */
const WINDOW_BYTES_WITHOUT_BODIES = 2 * BLOCK_BYTES;
const MAGIC = 'BCAP';

export class VerifiedWalk {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #window: FileWindow;
  readonly #readsBodies: boolean;

  private constructor(file: FileHandle, size: number, readsBodies: boolean) {
    this.#file = file;
    this.size = size;
    this.#readsBodies = readsBodies;
    this.#window = new FileWindow(file, readsBodies ? WINDOW_BYTES : WINDOW_BYTES_WITHOUT_BODIES);
  }

  /** Opens a segment file. Rejects with what the system says, ENOENT among it. Close it again. */
  static async open(path: string, { readsBodies = true } = {}): Promise<VerifiedWalk> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      return new VerifiedWalk(file, size, readsBodies);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The header of the file, or undefined where it is damaged. */
  async header(): Promise<SegmentHeader | undefined> {
    return decodeSegmentHeader(await this.#window.read(0, SEGMENT_HEADER_BYTES));
  }

  /**
   * Every append in its order, and everything else in the file. Damage is passed only by the lengths
   * of the damaged append itself, when they lead to a sound one or to the end of the file: whoever
   * searched for something that looks like an append could be shown one in the middle of a body.
   */
  async *steps(): AsyncGenerator<WalkStep> {
    let at = SEGMENT_HEADER_BYTES;
    while (at < this.size) {
      const append = await this.appendAt(at);
      if (append !== undefined) {
        const bodyIsIntact = this.#readsBodies ? await this.bodyIsIntact(append) : undefined;
        yield { what: 'append', append, bodyIsIntact };
        at += appendBytes(append.header);
        continue;
      }
      const bytes = await this.#bytesOfDamaged(at);
      if (bytes === undefined) {
        yield { what: 'tail', at, bytes: this.size - at, isTorn: await this.#isTorn(at) };
        return;
      }
      yield { what: 'damaged', at, bytes };
      at += bytes;
    }
  }

  /** The append that begins at `at`, or undefined when none does that is as it was written. */
  async appendAt(at: number): Promise<VerifiedAppend | undefined> {
    const head = await this.#window.read(at, APPEND_HEADER_BYTES);
    const header = head.length < APPEND_HEADER_BYTES ? undefined : decodeAppendHeader(head);
    if (header === undefined || !this.#hasRoomFor(at, header)) return undefined;
    const { keyBytes, bodyBytes, checksumBytes, metaBytes } = header;
    const headBytes = APPEND_HEADER_BYTES + keyBytes;
    const restBytes = checksumBytes + metaBytes;
    const bytes = appendBytes(header);
    let start: Buffer;
    let rest: Buffer;
    if (bytes <= this.#window.size) {
      const whole = await this.#window.read(at, bytes);
      start = whole.subarray(0, headBytes);
      rest = whole.subarray(headBytes + bodyBytes);
    } else {
      rest = await this.#readApart(at + headBytes + bodyBytes, restBytes);
      start = await this.#window.read(at, headBytes);
    }
    const key = start.subarray(APPEND_HEADER_BYTES);
    const [table, meta] = [rest.subarray(0, checksumBytes), rest.subarray(checksumBytes)];
    if (rest.length < restBytes || !appendIsIntact(start, key, table, meta)) return undefined;
    return { at, header, key: key.toString('utf8'), bodyAt: at + headBytes, table, meta };
  }

  /** Whether every block of the body is as it was written. REQUIRES: no step since the append's. */
  async bodyIsIntact({ at, header, bodyAt, table }: VerifiedAppend): Promise<boolean> {
    const { bodyBytes } = header;
    if (appendBytes(header) <= this.#window.size) {
      const whole = await this.#window.read(at, appendBytes(header));
      return blocksMatch(whole.subarray(bodyAt - at, bodyAt - at + bodyBytes), table, 0);
    }
    for (let from = 0; from < bodyBytes; from += this.#window.size) {
      const bytes = Math.min(this.#window.size, bodyBytes - from);
      const piece = await this.#window.read(bodyAt + from, bytes);
      if (piece.length < bytes || !blocksMatch(piece, table, from / BLOCK_BYTES)) return false;
    }
    return true;
  }

  /** Whether the lengths agree with each other and with the file, so that all of it may be read. */
  #hasRoomFor(at: number, header: AppendHeader): boolean {
    return (
      header.checksumBytes === blockCount(header.bodyBytes) * CHECKSUM_BYTES &&
      at + appendBytes(header) <= this.size
    );
  }

  /** Bytes of the damaged append at `at`, where its lengths can be believed. */
  async #bytesOfDamaged(at: number): Promise<number | undefined> {
    const head = await this.#window.read(at, APPEND_HEADER_BYTES);
    if (head.length < APPEND_HEADER_BYTES || isZero(head)) return undefined;
    const header = decodeAppendFields(head);
    if (header === undefined || !this.#hasRoomFor(at, header)) return undefined;
    const end = at + appendBytes(header);
    const leadsOn = end === this.size || (await this.appendAt(end)) !== undefined;
    return leadsOn ? end - at : undefined;
  }

  async #isTorn(at: number): Promise<boolean> {
    const head = await this.#window.read(at, APPEND_HEADER_BYTES);
    if (isZero(head)) return true;
    if (head.length < APPEND_HEADER_BYTES) {
      return MAGIC.startsWith(head.toString('latin1', 0, Math.min(head.length, MAGIC.length)));
    }
    const header = decodeAppendHeader(head);
    return header !== undefined && at + appendBytes(header) > this.size;
  }

  /** Beside the window, which stays where it is. */
  async #readApart(at: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes);
    const { bytesRead } = await this.#file.read(buffer, 0, bytes, at);
    return buffer.subarray(0, bytesRead);
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
