/**
 * Compresses bodies on their way into a segment, where it pays: small ones at once, others in zlib's
 * threads, long ones as they pass. Workers run it.
 */
import { constants, crc32, createDeflateRaw, deflateRaw, deflateRawSync } from 'node:zlib';
import type { EntryMeta } from '../../protocol/record.ts';
import { Gate } from './gate.ts';
import { MEMBER_FRAME_BYTES, MEMBER_HEADER, memberTail } from './gzip-member.ts';
import { compressibilityOf, looksCompressible } from './media-types.ts';
import { pump } from './pump.ts';

/** Shorter bodies are stored as they are. */
export const ENCODED_FROM_BYTES = 1024;
/** Up to this size the thread pool costs more than it saves: docs/decisions/compression.md. */
const SYNC_BYTES_MAX = 32 * 1024;
/** The compressed form is kept where it is at most this part of the plain one. */
const KEPT_PART_MAX = 0.9;
/** Of the four threads, which read bodies too. */
const THREADS_MAX = 2;
/** Long bodies that are compressed as they pass, at once; each may take hours and some 1.3 MiB. */
const STREAMS_MAX = 8;

/** The blocks end at a byte, before the last one: see gzip-member.ts. */
const OPTIONS = { level: 5, finishFlush: constants.Z_SYNC_FLUSH, chunkSize: 64 * 1024 };

export type WhatBody = Pick<EntryMeta, 'kind' | 'contentType'>;

export class BodyEncoder {
  readonly #threads = new Gate(THREADS_MAX);
  #streams = 0;

  /** Long bodies that are being compressed. */
  get streams(): number {
    return this.#streams;
  }

  /** The body as a gzip member; undefined where it is to be stored as it is. */
  encode(what: WhatBody, body: Buffer): Buffer | undefined | Promise<Buffer | undefined> {
    if (body.length < ENCODED_FROM_BYTES) return undefined;
    const hope = compressibilityOf(what);
    if (hope === 'never' || (hope === 'unknown' && !looksCompressible(body))) return undefined;
    if (body.length <= SYNC_BYTES_MAX) return memberOf(deflateRawSync(body, OPTIONS), body);
    return this.#threads.run(async () => memberOf(await deflated(body), body));
  }

  /**
   * A body of which `start` is the beginning and `pieces` all, as a gzip member in pieces; undefined
   * where it is to be stored as it is, also where too many are compressed already. REQUIRES: what is
   * returned is read, if only to its first piece.
   */
  encodeStream(
    what: WhatBody,
    start: Buffer,
    pieces: AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> | undefined {
    if (this.#streams >= STREAMS_MAX) return undefined;
    if (compressibilityOf(what) === 'never' || !looksCompressible(start)) return undefined;
    this.#streams += 1;
    return this.#encoded(pieces);
  }

  async *#encoded(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let crc = 0;
    let plainBytes = 0;
    async function* summed(): AsyncGenerator<Buffer> {
      for await (const piece of pieces) {
        crc = crc32(piece, crc);
        plainBytes += piece.length;
        yield piece;
      }
    }
    try {
      yield MEMBER_HEADER;
      yield* pump(createDeflateRaw(OPTIONS), summed(), (work) => this.#threads.run(work));
      yield memberTail(crc, plainBytes);
    } finally {
      this.#streams -= 1;
    }
  }
}

function deflated(body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflateRaw(body, OPTIONS, (error, blocks) => {
      if (error === null) resolve(blocks);
      else reject(error);
    });
  });
}

function memberOf(blocks: Buffer, body: Buffer): Buffer | undefined {
  if (blocks.length + MEMBER_FRAME_BYTES > body.length * KEPT_PART_MAX) return undefined;
  return Buffer.concat([MEMBER_HEADER, blocks, memberTail(crc32(body), body.length)]);
}
