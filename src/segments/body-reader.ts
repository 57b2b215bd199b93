/**
 * Reads bodies out of segments, verified: whole into a pooled slab, or streamed in pieces. No byte
 * leaves this file before its block's checksum has been found right.
 */
import { read, readSync } from 'node:fs';
import type { EntryRecord, Pointer } from '../protocol/record.ts';
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
import type { Slab, SlabPool } from './slabs.ts';
import type { WarmSet } from './warm-set.ts';

/** Bodies up to this size are read whole; 16 blocks, whose checksums stand in the record. */
export const WHOLE_BODY_BYTES_MAX = INLINE_BLOCKS_MAX * BLOCK_BYTES;
const PIECE_BYTES = 4 * BLOCK_BYTES;

/** Offsets in a shared segment are below this; a body in a segment of its own is near its begin. */
const OFFSETS = 2 ** 29;

/**
 * The number under which a body is remembered as warm. Past 2^24 segments near neighbours share one,
 * which costs at most a read that waits for the disk.
 */
export function warmItem({ segment, offset }: Pointer): number {
  return segment * OFFSETS + offset;
}

/** The part of a record that says where and what a body is. */
export type BodyPlace = Pick<EntryRecord, 'pointer' | 'storedBytes' | 'checksums'>;

/** A body with what stands before and after it; see `Content` in workers/store/store.ts. */
export interface BodyContent {
  readonly byteLength: number;
  readonly whole: Buffer | undefined;
  chunks(): AsyncIterable<Buffer>;
  release(): void;
}

export class BodyReader {
  readonly #descriptors: Descriptors;
  readonly #slabs: SlabPool;
  readonly #warm: WarmSet<number>;

  constructor(descriptors: Descriptors, slabs: SlabPool, warm: WarmSet<number>) {
    this.#descriptors = descriptors;
    this.#slabs = slabs;
    this.#warm = warm;
  }

  /**
   * Opens a body between `prologue` and `epilogue`. Rejects with SegmentDamage when the segment is
   * gone, too short, or not as it was written; with STORE_FAILED for faults of the system.
   */
  async open(place: BodyPlace, prologue: Buffer, epilogue: Buffer): Promise<BodyContent> {
    if (place.storedBytes > WHOLE_BODY_BYTES_MAX) return this.#stream(place, prologue, epilogue);
    return this.openWarm(place, prologue, epilogue) ?? this.#openCold(place, prologue, epilogue);
  }

  /** `open` without waiting, for a body that is surely in the page cache; else undefined. */
  openWarm(place: BodyPlace, prologue: Buffer, epilogue: Buffer): BodyContent | undefined {
    if (place.storedBytes > WHOLE_BODY_BYTES_MAX || !this.#warm.has(warmItem(place.pointer)))
      return undefined;
    const descriptor = this.#descriptors.lendOpen(place.pointer.segment);
    if (descriptor === undefined) return undefined;
    const content = new WholeBody(this.#slabs, place, prologue, epilogue);
    try {
      readWarm(descriptor.fd, content.body, place.pointer.offset);
      return this.#verified(content, place);
    } catch (error) {
      content.release();
      throw error;
    } finally {
      descriptor.release();
    }
  }

  async #openCold(place: BodyPlace, prologue: Buffer, epilogue: Buffer): Promise<BodyContent> {
    const descriptor = await this.#descriptors.lend(place.pointer.segment);
    const content = new WholeBody(this.#slabs, place, prologue, epilogue);
    try {
      await readAll(descriptor.fd, content.body, place.pointer.offset);
      return this.#verified(content, place);
    } catch (error) {
      content.release();
      throw error;
    } finally {
      descriptor.release();
    }
  }

  #verified(content: WholeBody, place: BodyPlace): BodyContent {
    if (!blocksMatch(content.body, place.checksums, 0)) {
      throw new SegmentDamage('the body is not as it was written');
    }
    this.#warm.add(warmItem(place.pointer));
    return content;
  }

  async #stream(place: BodyPlace, prologue: Buffer, epilogue: Buffer): Promise<BodyContent> {
    const descriptor = await this.#descriptors.lend(place.pointer.segment);
    const slab = this.#slabs.take(PIECE_BYTES);
    const body = new StreamedBody(place, descriptor, slab, prologue, epilogue);
    try {
      await body.start();
    } catch (error) {
      body.release();
      throw error;
    }
    return body;
  }
}

/** A body in one slab, with room around it for what stands before and after. */
class WholeBody implements BodyContent {
  readonly whole: Buffer;
  /** Where the body itself belongs, to be read into. */
  readonly body: Buffer;
  readonly #slab: Slab;

  constructor(slabs: SlabPool, { storedBytes }: BodyPlace, prologue: Buffer, epilogue: Buffer) {
    const length = prologue.length + storedBytes + epilogue.length;
    this.#slab = slabs.take(length);
    this.whole = this.#slab.buffer.subarray(0, length);
    this.body = this.whole.subarray(prologue.length, prologue.length + storedBytes);
    prologue.copy(this.whole, 0);
    epilogue.copy(this.whole, length - epilogue.length);
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
  readonly #prologue: Buffer;
  readonly #epilogue: Buffer;
  #checksums: Buffer = Buffer.alloc(0);
  #isReading = false;
  #isReleased = false;

  constructor(
    place: BodyPlace,
    descriptor: Descriptor,
    slab: Slab,
    prologue: Buffer,
    epilogue: Buffer,
  ) {
    this.#place = place;
    this.#descriptor = descriptor;
    this.#slab = slab;
    this.#prologue = prologue;
    this.#epilogue = epilogue;
    this.byteLength = prologue.length + place.storedBytes + epilogue.length;
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
    await this.#piece(0);
  }

  async *chunks(): AsyncGenerator<Buffer> {
    if (this.#prologue.length > 0) yield this.#prologue;
    for (let from = 0; from < this.#place.storedBytes; from += PIECE_BYTES) {
      yield await this.#piece(from);
    }
    if (this.#epilogue.length > 0) yield this.#epilogue;
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

function readWarm(fd: number, into: Buffer, at: number): void {
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
