/**
 * Reads bodies out of segments, verified: whole into a pooled slab, or streamed in pieces. No byte
 * leaves this file before its block's checksum has been found right.
 */
import { read, readSync } from 'node:fs';
import type { EntryRecord, Pointer } from '../protocol/record.ts';
import {
  type BodyContent,
  type BodyFraming,
  type ByteRange,
  memoryContent,
} from './body-content.ts';
import {
  BLOCK_BYTES,
  blockCount,
  blocksMatch,
  CHECKSUM_BYTES,
  checksumMatches,
  INLINE_BLOCKS_MAX,
} from './checksum.ts';
import type { Descriptor, Descriptors } from './descriptors.ts';
import { SegmentDamage, toStoreError } from './faults.ts';
import { ReadPace } from './read-pace.ts';
import type { Slab, SlabPool } from './slabs.ts';
import type { WarmSet } from './warm-set.ts';

export type { BodyContent, BodyFraming, ByteRange };

/** Bodies up to this size are read whole; 16 blocks, whose checksums stand in the record. */
export const WHOLE_BODY_BYTES_MAX = INLINE_BLOCKS_MAX * BLOCK_BYTES;
const PIECE_BYTES = 4 * BLOCK_BYTES;
/** A longer body that was not just touched may take many reads of the disk: it is left to the pool. */
const UNTOUCHED_BYTES_MAX = BLOCK_BYTES;

/** Offsets in a shared segment are below this; a body in a segment of its own is near its begin. */
const OFFSETS = 2 ** 29;

/**
 * The number under which a body is remembered as warm. Past 2^24 segments near neighbours share
 * one, which costs at most a read that waits for the disk.
 */
export function warmItem({ segment, offset }: Pointer): number {
  return segment * OFFSETS + offset;
}

/** The part of a record that says where and what a body is. */
export type BodyPlace = Pick<EntryRecord, 'pointer' | 'storedBytes' | 'checksums' | 'inlineBody'>;

export class BodyReader {
  readonly #descriptors: Descriptors;
  readonly #slabs: SlabPool;
  readonly #warm: WarmSet<number>;
  readonly #pace: ReadPace;

  /** `warm` are bodies that are surely in memory, `pace` judges whether others are. */
  constructor(
    descriptors: Descriptors,
    slabs: SlabPool,
    warm: WarmSet<number>,
    pace: ReadPace = new ReadPace(),
  ) {
    this.#pace = pace;
    this.#descriptors = descriptors;
    this.#slabs = slabs;
    this.#warm = warm;
  }

  /**
   * Opens a body in its framing. Rejects with SegmentDamage when the segment is
   * gone, too short, or not as it was written; with STORE_FAILED for faults of the system, with
   * OVERLOADED where answers hold too much already.
   */
  async open(place: BodyPlace, framing: BodyFraming): Promise<BodyContent> {
    if (place.storedBytes > WHOLE_BODY_BYTES_MAX) return this.#stream(place, framing);
    return this.openAtOnce(place, framing) ?? this.#openCold(place, framing);
  }

  /** `open` without waiting, for a body that is in the page cache by all appearances; else undefined. */
  openAtOnce(place: BodyPlace, framing: BodyFraming): BodyContent | undefined {
    // It came in the buffer of a frame, which it must not keep alive.
    if (place.inlineBody !== undefined)
      return memoryContent(Buffer.from(place.inlineBody), framing);
    const isWarm = this.#warm.has(warmItem(place.pointer));
    if (!this.#mayReadAtOnce(place, isWarm)) return undefined;
    const descriptor = this.#descriptors.lendOpen(place.pointer.segment);
    if (descriptor === undefined) return undefined;
    const { fd } = descriptor;
    const { offset } = place.pointer;
    let content: WholeBody | undefined;
    try {
      content = new WholeBody(this.#slabs, place, framing);
      const { body } = content;
      if (isWarm) readAtOnce(fd, body, offset);
      else this.#pace.atOnce(() => readAtOnce(fd, body, offset));
      return this.#verified(content, place);
    } catch (error) {
      content?.release();
      throw error;
    } finally {
      descriptor.release();
    }
  }

  /** The same of a body that is in memory already, as it is stored. It is not written into. */
  openHeld(body: Buffer, framing: BodyFraming): BodyContent {
    const { prologue, epilogue, range } = framing;
    const isAlone = range !== undefined || prologue.length + epilogue.length === 0;
    if (isAlone) return memoryContent(body, framing);
    const content = new WholeBody(this.#slabs, { storedBytes: body.length }, framing);
    body.copy(content.body);
    return content;
  }

  /** Has `bytes` that an answer holds otherwise counted with the slabs; see SlabPool. */
  lend(bytes: number): () => void {
    return this.#slabs.lend(bytes);
  }

  async #openCold(place: BodyPlace, framing: BodyFraming): Promise<BodyContent> {
    const descriptor = await this.#descriptors.lend(place.pointer.segment);
    let content: WholeBody | undefined;
    try {
      content = new WholeBody(this.#slabs, place, framing);
      await readAll(descriptor.fd, content.body, place.pointer.offset);
      return this.#verified(content, place);
    } catch (error) {
      content?.release();
      throw error;
    } finally {
      descriptor.release();
    }
  }

  #mayReadAtOnce({ storedBytes }: BodyPlace, isWarm: boolean): boolean {
    if (isWarm) return storedBytes <= WHOLE_BODY_BYTES_MAX;
    return storedBytes <= UNTOUCHED_BYTES_MAX && this.#pace.isOpen;
  }

  #verified(content: WholeBody, place: BodyPlace): BodyContent {
    if (!blocksMatch(content.body, place.checksums, 0)) {
      throw new SegmentDamage('the body is not as it was written');
    }
    this.#warm.add(warmItem(place.pointer));
    return content;
  }

  async #stream(place: BodyPlace, framing: BodyFraming): Promise<BodyContent> {
    const slab = this.#slabs.take(PIECE_BYTES);
    let body: StreamedBody | undefined;
    try {
      const descriptor = await this.#descriptors.lend(place.pointer.segment);
      body = new StreamedBody(place, descriptor, slab, framing);
      await body.start();
      return body;
    } catch (error) {
      (body ?? slab).release();
      throw error;
    }
  }
}

/** A body in one slab, with room around it for what stands before and after. */
class WholeBody implements BodyContent {
  /** What is shown: of a range, nothing but its bytes. */
  readonly whole: Buffer;
  /** Where the body itself belongs, to be read into. */
  readonly body: Buffer;
  readonly #slab: Slab;

  constructor(
    slabs: SlabPool,
    { storedBytes }: Pick<BodyPlace, 'storedBytes'>,
    framing: BodyFraming,
  ) {
    const { prologue, epilogue, range } = framing;
    const length = prologue.length + storedBytes + epilogue.length;
    this.#slab = slabs.take(length);
    const all = this.#slab.buffer.subarray(0, length);
    if (length === storedBytes) this.body = all;
    else {
      this.body = all.subarray(prologue.length, prologue.length + storedBytes);
      prologue.copy(all, 0);
      epilogue.copy(all, length - epilogue.length);
    }
    this.whole = range === undefined ? all : this.body.subarray(range.start, range.end);
  }

  get byteLength(): number {
    return this.whole.length;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    yield this.whole;
  }

  release(): void {
    this.#slab.release();
  }
}

class StreamedBody implements BodyContent {
  readonly whole = undefined;
  readonly byteLength: number;
  readonly #place: BodyPlace;
  readonly #descriptor: Descriptor;
  readonly #slab: Slab;
  readonly #framing: BodyFraming;
  readonly #range: ByteRange;
  #checksums: Buffer = Buffer.alloc(0);
  #isReading = false;
  #isReleased = false;

  constructor(place: BodyPlace, descriptor: Descriptor, slab: Slab, framing: BodyFraming) {
    this.#place = place;
    this.#descriptor = descriptor;
    this.#slab = slab;
    this.#framing = framing;
    this.#range = framing.range ?? { start: 0, end: place.storedBytes };
    const { start, end } = this.#range;
    const around = framing.prologue.length + framing.epilogue.length;
    this.byteLength = end - start + (framing.range === undefined ? around : 0);
  }

  /** Reads and verifies the table of checksums and the first piece, so that early damage is a miss. */
  async start(): Promise<void> {
    const { pointer, storedBytes, checksums } = this.#place;
    const table = Buffer.allocUnsafe(blockCount(storedBytes) * CHECKSUM_BYTES);
    await this.#read(table, pointer.offset + storedBytes);
    if (!checksumMatches(table, checksums, 0)) {
      throw new SegmentDamage('the table of checksums is not as it was written');
    }
    this.#checksums = table;
    await this.#piece(this.#firstPieceAt);
  }

  get #firstPieceAt(): number {
    return Math.floor(this.#range.start / PIECE_BYTES) * PIECE_BYTES;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    const { prologue, epilogue, range } = this.#framing;
    const isFramed = range === undefined;
    if (isFramed && prologue.length > 0) yield prologue;
    const { start, end } = this.#range;
    for (let from = this.#firstPieceAt; from < end; from += PIECE_BYTES) {
      const piece = await this.#piece(from);
      yield piece.subarray(Math.max(0, start - from), Math.min(piece.length, end - from));
    }
    if (isFramed && epilogue.length > 0) yield epilogue;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if (!this.#isReading) this.#giveBack();
  }

  async #piece(from: number): Promise<Buffer> {
    const length = Math.min(PIECE_BYTES, this.#place.storedBytes - from);
    const piece = this.#slab.buffer.subarray(0, length);
    await this.#read(piece, this.#place.pointer.offset + from);
    if (!blocksMatch(piece, this.#checksums, from / BLOCK_BYTES)) {
      throw new SegmentDamage('a block is not as it was written');
    }
    return piece;
  }

  async #read(into: Buffer, at: number): Promise<void> {
    if (this.#isReleased) throw new Error('INVARIANT: nothing is read after release');
    this.#isReading = true;
    try {
      await readAll(this.#descriptor.fd, into, at);
    } finally {
      this.#isReading = false;
      // Released in the middle of a read: the slab and the descriptor were still in use until now.
      if (this.#isReleased) this.#giveBack();
    }
    if (this.#isReleased) throw new Error('the reader left');
  }

  #giveBack(): void {
    this.#slab.release();
    this.#descriptor.release();
  }
}

function readAtOnce(fd: number, into: Buffer, at: number): void {
  try {
    for (let done = 0; done < into.length; ) {
      const bytes = readSync(fd, into, done, into.length - done, at + done);
      if (bytes === 0) throw new SegmentDamage('the segment is too short');
      done += bytes;
    }
  } catch (error) {
    throw toStoreError(error);
  }
}

function readAll(fd: number, into: Buffer, at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (done: number): void => {
      if (done >= into.length) {
        resolve();
        return;
      }
      read(fd, into, done, into.length - done, at + done, (error, bytes) => {
        if (error !== null) reject(toStoreError(error));
        else if (bytes === 0) reject(new SegmentDamage('the segment is too short'));
        else next(done + bytes);
      });
    };
    next(0);
  });
}
