/**
 * The hash of a body's plain content, from which its entity tag is made: the first 128 bits of its SHA-256.
 */
import { createHash } from 'node:crypto';

export const CONTENT_HASH_BYTES = 16;

/** The hash of content that is here as a whole. */
export function contentHashOf(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest().subarray(0, CONTENT_HASH_BYTES);
}

/** A body that is hashed on its way: at once, or piece by piece while it is written. */
export class HashedBody {
  readonly body: Buffer | AsyncIterable<Buffer>;
  readonly #running = createHash('sha256');
  #hash: Buffer | undefined;

  constructor(body: Buffer | AsyncIterable<Buffer>) {
    if (Buffer.isBuffer(body)) {
      this.body = body;
      this.#hash = contentHashOf(body);
    } else this.body = this.#passingOn(body);
  }

  /** REQUIRES: the whole body has been passed on. */
  get hash(): Buffer {
    this.#hash ??= this.#running.digest().subarray(0, CONTENT_HASH_BYTES);
    return this.#hash;
  }

  async *#passingOn(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of body) {
      this.#running.update(piece);
      yield piece;
    }
  }
}
