/**
 * The hash of a body's plain content, from which its entity tag is made: the first 128 bits of its SHA-256.
 */
import { createHash, hash } from 'node:crypto';

export const CONTENT_HASH_BYTES = 16;

/** The hash of content that is here as a whole, and small: it takes some 0.7 ms for a MiB. */
export function contentHashOf(content: Uint8Array): Buffer {
  return hash('sha256', content, 'buffer').subarray(0, CONTENT_HASH_BYTES);
}

/** A body that is hashed piece by piece while it passes. */
export class HashedPieces {
  readonly #body: AsyncIterable<Buffer>;
  readonly #running = createHash('sha256');
  #digest: Buffer | undefined;
  #byteLength = 0;

  constructor(body: AsyncIterable<Buffer>) {
    this.#body = body;
  }

  /** REQUIRES: the whole body has passed. */
  get digest(): Buffer {
    this.#digest ??= this.#running.digest().subarray(0, CONTENT_HASH_BYTES);
    return this.#digest;
  }

  /** Bytes that have passed. */
  get byteLength(): number {
    return this.#byteLength;
  }

  async *pieces(): AsyncGenerator<Buffer> {
    for await (const piece of this.#body) {
      this.#running.update(piece);
      this.#byteLength += piece.length;
      yield piece;
    }
  }
}
