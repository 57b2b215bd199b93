/**
 * The one form in which bodies are stored compressed: a gzip member (RFC 1952) whose deflate blocks end
 * at a byte, before a last block that is empty. So what surrounds a JSON value in an answer can be put
 * around the blocks without touching them. docs/storage-format.md describes it. On disk: never change.
 */
import { crc32 } from 'node:zlib';
import { combinedCrc32 } from './crc32-combine.ts';

/** `Content-Encoding` of the stored form. */
export const GZIP = 'gzip';

/** What stands before the blocks: no name, no time, no system, so that the same body has the same bytes. */
export const MEMBER_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty block that is the last one. */
const LAST_BLOCK = Buffer.from([3, 0]);
const TRAILER_BYTES = 8;
const TAIL_BYTES = LAST_BLOCK.length + TRAILER_BYTES;
/** What a member has beside its blocks. */
export const MEMBER_FRAME_BYTES = MEMBER_HEADER.length + TAIL_BYTES;

const BLOCK_HEADER_BYTES = 5;
const STORED_BLOCK_BYTES_MAX = 0xffff;

/** What stands after the blocks of a body with this crc32 and length. */
export function memberTail(crc: number, plainBytes: number): Buffer {
  const tail = Buffer.allocUnsafe(TAIL_BYTES);
  LAST_BLOCK.copy(tail);
  writeTrailer(tail, LAST_BLOCK.length, crc, plainBytes);
  return tail;
}

function writeTrailer(into: Buffer, at: number, crc: number, plainBytes: number): void {
  into.writeUInt32LE(crc, at);
  into.writeUInt32LE(plainBytes % 0x1_0000_0000, at + 4);
}

/** Writes `bytes` as a deflate block that is not compressed. */
function writeBlock(into: Buffer, at: number, bytes: Buffer, isLast: boolean): void {
  if (bytes.length > STORED_BLOCK_BYTES_MAX) {
    throw new Error('INVARIANT: what surrounds a value fits one block');
  }
  into[at] = isLast ? 1 : 0;
  into.writeUInt16LE(bytes.length, at + 1);
  into.writeUInt16LE(~bytes.length & 0xffff, at + 3);
  bytes.copy(into, at + BLOCK_HEADER_BYTES);
}

/**
 * What is put around a stored member, so that all together is one member of prologue, body and epilogue.
 * The first and last bytes of the stored one are written over in place.
 */
export class MemberSplice {
  /** Room before the stored member, and after it. */
  readonly before: Buffer;
  readonly after: Buffer;
  /** What the whole begins with, up to the blocks of the stored member. */
  readonly head: Buffer;
  readonly #lastBlock: Buffer;
  readonly #prologueCrc: number;
  readonly #epilogueCrc: number;
  readonly #epilogueBytes: number;
  readonly #frameBytes: number;

  /** REQUIRES: neither is longer than 65,535 bytes. */
  constructor(prologue: Buffer, epilogue: Buffer) {
    this.head = Buffer.allocUnsafe(MEMBER_HEADER.length + BLOCK_HEADER_BYTES + prologue.length);
    MEMBER_HEADER.copy(this.head);
    writeBlock(this.head, MEMBER_HEADER.length, prologue, false);
    this.before = this.head.subarray(MEMBER_HEADER.length);
    this.#lastBlock = Buffer.allocUnsafe(BLOCK_HEADER_BYTES + epilogue.length);
    writeBlock(this.#lastBlock, 0, epilogue, true);
    // Even an empty block is longer than the one in whose place it stands.
    this.after = this.#lastBlock.subarray(LAST_BLOCK.length);
    this.#prologueCrc = crc32(prologue);
    this.#epilogueCrc = crc32(epilogue);
    this.#epilogueBytes = epilogue.length;
    this.#frameBytes = prologue.length + epilogue.length;
  }

  /** Where, in a whole of `wholeBytes`, the blocks of the stored member end and its tail begins. */
  tailAt(wholeBytes: number): number {
    return wholeBytes - this.#lastBlock.length - TRAILER_BYTES;
  }

  /** Makes one member of `whole`: the stored one, of `plainBytes`, between `before` and `after`. */
  finish(whole: Buffer, plainBytes: number): void {
    this.head.copy(whole, 0);
    this.finishTail(whole.subarray(this.tailAt(whole.length)), plainBytes);
  }

  /** The same for what begins with the tail of the stored member. */
  finishTail(tail: Buffer, plainBytes: number): void {
    const bodyCrc = tail.readUInt32LE(LAST_BLOCK.length);
    const upToBody = combinedCrc32(this.#prologueCrc, bodyCrc, plainBytes);
    const crc = combinedCrc32(upToBody, this.#epilogueCrc, this.#epilogueBytes);
    this.#lastBlock.copy(tail, 0);
    writeTrailer(tail, this.#lastBlock.length, crc, plainBytes + this.#frameBytes);
  }
}
