/**
 * Pooled buffers for bodies on their way from a segment to a socket. A fresh Buffer per body provokes
 * full garbage collections (a third of all CPU in a prototype), so slabs are used again.
 */

const SLAB_BYTES_MIN = 2 * 1024;
/** Bodies below 1 MiB and what frames them fit; longer ones are streamed through smaller slabs. */
const SLAB_BYTES_MAX = 2 * 1024 * 1024;

/** A buffer on loan. `release` gives it back; only the first call counts. */
export interface Slab {
  readonly buffer: Buffer;
  release(): void;
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
    let isOnLoan = true;
    return {
      buffer,
      release: () => {
        if (!isOnLoan) return;
        isOnLoan = false;
        this.#onLoan -= 1;
        this.#keep(buffer);
      },
    };
  }

  #keep(buffer: Buffer): void {
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
  return 2 ** Math.ceil(Math.log2(bytes));
}
