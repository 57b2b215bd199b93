/** Entries of a MemoryStore, and their bodies in the forms in which they are read. */
import { gunzipSync } from 'node:zlib';
import type { PurgeReport } from '../../../src/protocol/purge.ts';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import { MemberSplice } from '../../../src/segments/compression/gzip-member.ts';
import { type Content, type Framing, NO_BODY } from '../../../src/workers/store/store.ts';

const PIECE_BYTES = 64 * 1024;
/** Longer contents are streamed, as the real store streams what fits no slab. */
const WHOLE_BYTES_MAX = 1024 * 1024;

export interface Entry {
  readonly record: EntryRecord;
  readonly body: Buffer;
  /** The soft purge that made it stale. */
  readonly softenedBy?: PurgeReport;
}

export class MemoryContent implements Content {
  readonly byteLength: number;
  readonly whole: Buffer | undefined;
  readonly #bytes: Buffer;
  readonly #onRelease: () => void;
  #isReleased = false;

  constructor(bytes: Buffer, onRelease: () => void) {
    this.#bytes = bytes;
    this.#onRelease = onRelease;
    this.byteLength = bytes.length;
    this.whole = bytes.length <= WHOLE_BYTES_MAX ? bytes : undefined;
  }

  /** Hands out one buffer again and again, so that whoever keeps a piece too long is found out. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < this.#bytes.length; at += PIECE_BYTES) {
      piece.fill(0xff);
      yield piece.subarray(0, this.#bytes.copy(piece, 0, at, at + PIECE_BYTES));
    }
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onRelease();
  }
}

/** The bytes that a reader with this framing is given. */
export function framed(
  { body, record }: Entry,
  framing: Framing | typeof NO_BODY | undefined,
): Buffer {
  const isEncoded = record.contentEncoding !== null;
  if (framing === NO_BODY) return Buffer.alloc(0);
  const shown = isEncoded && framing?.encoded !== true ? gunzipSync(body) : body;
  if (framing === undefined) return shown;
  const { prologue, epilogue, range, encoded } = framing;
  if (range !== undefined) return shown.subarray(range.start, range.end);
  if (!isEncoded || encoded !== true || prologue.length + epilogue.length === 0) {
    return Buffer.concat([prologue, shown, epilogue]);
  }
  const splice = new MemberSplice(prologue, epilogue);
  const whole = Buffer.concat([splice.before, body, splice.after]);
  splice.finish(whole, record.plainBytes);
  return whole;
}
