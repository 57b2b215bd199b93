/**
 * Stored bodies decoded for readers who do not take their encoding: at once, in one of zlib's
 * threads, or as they are read. What leaves here was verified twice, by the checksums of its blocks
 * and by its crc32, but for what is streamed: that is verified by blocks, and cut off where the
 * whole is wrong.
 */
import { createGunzip, gunzip, gunzipSync } from 'node:zlib';
import type { EntryRecord } from '../../protocol/record.ts';
import { type BodyContent, type BodyFraming, memoryContent } from '../body-content.ts';
import { type BodyReader, WHOLE_BODY_BYTES_MAX } from '../body-reader.ts';
import { SegmentDamage } from '../faults.ts';
import { pump } from './pump.ts';

/** Up to this plain size the thread pool costs more than it saves. */
const SYNC_BYTES_MAX = 128 * 1024;
const CHUNK_BYTES = 64 * 1024;

type Decoded = Pick<EntryRecord, 'plainBytes'>;

/** Where the bytes that an answer holds are counted. Throws OVERLOADED where too many are held. */
type Lender = Pick<BodyReader, 'lend'>;

/** How a decoded body is shown, and what gives its bytes back. */
interface Showing {
  readonly framing: BodyFraming;
  readonly release: () => void;
}

/**
 * The plain form of `stored`, a whole gzip member without framing, in `framing`. Takes `stored`
 * over. Throws SegmentDamage where it is not as long as the record says, or no gzip at all, and as `lender` does.
 */
export function decodedBody(
  stored: BodyContent,
  { plainBytes }: Decoded,
  framing: BodyFraming,
  lender: Lender,
): BodyContent | Promise<BodyContent> {
  const { whole } = stored;
  if (whole === undefined || plainBytes > WHOLE_BODY_BYTES_MAX) {
    return new DecodedStream(stored, plainBytes, framing);
  }
  const showing = { framing, release: lentTo(stored, plainBytes, lender) };
  const decoded = plainBytes > SYNC_BYTES_MAX ? decodedInThread : decodedHere;
  return decoded(stored, whole, plainBytes, showing);
}

/** Counts the plain bytes; where that is refused, `stored` is given back. */
function lentTo(stored: BodyContent, plainBytes: number, lender: Lender): () => void {
  try {
    return lender.lend(plainBytes);
  } catch (error) {
    stored.release();
    throw error;
  }
}

function decodedHere(
  stored: BodyContent,
  whole: Buffer,
  plainBytes: number,
  showing: Showing,
): BodyContent {
  try {
    return decodedWhole(gunzipSync(whole, optionsFor(plainBytes)), plainBytes, showing);
  } catch (error) {
    showing.release();
    throw toDamage(error);
  } finally {
    stored.release();
  }
}

async function decodedInThread(
  stored: BodyContent,
  whole: Buffer,
  plainBytes: number,
  showing: Showing,
): Promise<BodyContent> {
  try {
    const plain = await new Promise<Buffer>((resolve, reject) => {
      gunzip(whole, optionsFor(plainBytes), (error, bytes) => {
        if (error === null) resolve(bytes);
        else reject(error);
      });
    });
    return decodedWhole(plain, plainBytes, showing);
  } catch (error) {
    showing.release();
    throw toDamage(error);
  } finally {
    stored.release();
  }
}

/** Where a buffer is filled to its last byte, zlib makes another one to see whether that was all. */
const ROOM_TO_SEE_THE_END_BYTES = 64;

/** One buffer takes it all; what would be longer is damaged and not decoded any further. */
function optionsFor(plainBytes: number): { chunkSize: number; maxOutputLength: number } {
  return {
    chunkSize: plainBytes + ROOM_TO_SEE_THE_END_BYTES,
    maxOutputLength: plainBytes + ROOM_TO_SEE_THE_END_BYTES,
  };
}

/** What zlib says of bytes that are no gzip, end too early, or decode to more than they should. */
const DAMAGE: ReadonlySet<unknown> = new Set([
  'Z_DATA_ERROR',
  'Z_BUF_ERROR',
  'Z_NEED_DICT',
  'ERR_BUFFER_TOO_LARGE',
]);

function toDamage(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return DAMAGE.has(code) ? new SegmentDamage('the body cannot be decoded') : error;
}

/** The same pieces; what zlib says of bytes that are no gzip is thrown as the damage that it is. */
async function* asDamage(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* pieces;
  } catch (error) {
    throw toDamage(error);
  }
}

function decodedWhole(
  plain: Buffer,
  plainBytes: number,
  { framing, release }: Showing,
): BodyContent {
  if (plain.length !== plainBytes) throw new SegmentDamage('the body has another length');
  return memoryContent(plain, framing, release);
}

/** A body that is decoded piece by piece, as it is read. */
class DecodedStream implements BodyContent {
  readonly whole = undefined;
  readonly byteLength: number;
  readonly #stored: BodyContent;
  readonly #plainBytes: number;
  readonly #framing: BodyFraming;

  constructor(stored: BodyContent, plainBytes: number, framing: BodyFraming) {
    const { prologue, epilogue, range } = framing;
    this.#stored = stored;
    this.#plainBytes = plainBytes;
    this.#framing = framing;
    this.byteLength =
      range === undefined
        ? prologue.length + plainBytes + epilogue.length
        : range.end - range.start;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    const { prologue, epilogue, range } = this.#framing;
    if (range !== undefined) {
      yield* this.#plain(range.start, range.end);
      return;
    }
    if (prologue.length > 0) yield prologue;
    yield* this.#plain(0, this.#plainBytes);
    if (epilogue.length > 0) yield epilogue;
  }

  release(): void {
    this.#stored.release();
  }

  /**
   * The plain bytes from `start` to before `end`. The last piece leaves once all was found right,
   * so that no answer is whole that should have been cut.
   */
  async *#plain(start: number, end: number): AsyncGenerator<Buffer> {
    const plainBytes = this.#plainBytes;
    const isToEnd = end === plainBytes;
    const stream = createGunzip({ chunkSize: CHUNK_BYTES });
    let held: Buffer | undefined;
    let at = 0;
    for await (const chunk of asDamage(pump(stream, this.#stored.chunks()))) {
      const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
      at += chunk.length;
      if (at > plainBytes) throw new SegmentDamage('the body is longer than it was');
      if (part.length === 0) continue;
      if (held !== undefined) yield held;
      held = part;
      if (at >= end && !isToEnd) break;
    }
    if (isToEnd && at !== plainBytes) throw new SegmentDamage('the body is shorter than it was');
    if (held !== undefined) yield held;
  }
}
