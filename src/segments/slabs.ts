/**
 * Pooled buffers for bodies on their way from a segment to a socket. A fresh Buffer per body provokes
 * full garbage collections (a third of all CPU in a prototype), so slabs are used again.
 */

const SLAB_BYTES_MIN = 2 * 1024;
/** Bodies below 1 MiB and what frames them fit; longer ones are streamed through smaller slabs. */
const SLAB_BYTES_MAX = 2 * 1024 * 1024;

/** A buffer on loan. */
export class Slab {
  readonly buffer: Buffer;
  readonly #pool: SlabPool;
  #isOnLoan = true;

  constructor(buffer: Buffer, pool: SlabPool) {
    this.buffer = buffer;
    this.#pool = pool;
  }

  /** Gives it back; only the first call counts. */
  release(): void {
    if (!this.#isOnLoan) return;
    this.#isOnLoan = false;
    this.#pool.takeBack(this.buffer);
  }
}

export class SlabPool {
  readonly #idle = new Map<number, Buffer[]>();
  readonly #idleBytesMax: number;
  #idleBytes = 0;
  #onLoan = 0;

  /** `idleBytesMax` bounds what the pool keeps for later. */
  constructor(idleBytesMax: number = 32 * 1024 * 1024) {
    this.#idleBytesMax = idleBytesMax;
  }

  /** Slabs that were taken and not given back. */
  get onLoan(): number {
    return this.#onLoan;
  }

  /** A slab of at least `bytes` bytes; its content is whatever was there before. */
  take(bytes: number): Slab {
    const size = slabSize(bytes);
    const idle = this.#idle.get(size)?.pop();
    if (idle !== undefined) this.#idleBytes -= size;
    const buffer = idle ?? Buffer.allocUnsafeSlow(size);
    this.#onLoan += 1;
    return new Slab(buffer, this);
  }

  /** Takes the buffer of a slab back, for the slab itself. */
  takeBack(buffer: Buffer): void {
    this.#onLoan -= 1;
    const size = buffer.length;
    if (size > SLAB_BYTES_MAX || this.#idleBytes + size > this.#idleBytesMax) return;
    const idle = this.#idle.get(size);
    if (idle === undefined) this.#idle.set(size, [buffer]);
    else idle.push(buffer);
    this.#idleBytes += size;
  }
}

/** The next power of two, so that slabs of like bodies are interchangeable. */
function slabSize(bytes: number): number {
  if (bytes <= SLAB_BYTES_MIN) return SLAB_BYTES_MIN;
  if (bytes > SLAB_BYTES_MAX) return bytes;
  return 2 ** (32 - Math.clz32(bytes - 1));
}
