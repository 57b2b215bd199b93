/**
 * Pooled buffers for bodies on their way from a segment to a socket. A fresh Buffer per body provokes
 * full garbage collections (a third of all CPU in a prototype), so slabs are used again.
 */
import { BigCacheError } from '../protocol/errors.ts';

const SLAB_BYTES_MIN = 2 * 1024;
/** Bodies below 1 MiB and what frames them fit; longer ones are streamed through smaller slabs. */
const SLAB_BYTES_MAX = 2 * 1024 * 1024;
const MiB = 1024 * 1024;

/** Larger slabs leave a quarter of what may be on loan to those up to this size. */
const SMALL_BYTES_MAX = 64 * 1024;
const LARGE_SHARE = 0.75;

export interface SlabLimits {
  /** Bytes that may be on loan: what answers hold that their clients have not taken. */
  readonly loanBytesMax: number;
  /** Bytes that the pool keeps for later. */
  readonly idleBytesMax: number;
}

const SLAB_LIMITS: SlabLimits = { loanBytesMax: 256 * MiB, idleBytesMax: 32 * MiB };

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
  readonly #limits: SlabLimits;
  #idleBytes = 0;
  #onLoan = 0;
  #loanBytes = 0;
  #refused = 0;

  constructor(limits: Partial<SlabLimits> = {}) {
    this.#limits = { ...SLAB_LIMITS, ...limits };
  }

  /** Slabs that were taken and not given back. */
  get onLoan(): number {
    return this.#onLoan;
  }

  /**
   * A slab of at least `bytes` bytes; its content is whatever was there before. Throws OVERLOADED where too
   * much is on loan: clients that do not take their answers must not fill the memory.
   */
  take(bytes: number): Slab {
    const size = slabSize(bytes);
    this.#charge(size);
    const idle = this.#idle.get(size)?.pop();
    if (idle !== undefined) this.#idleBytes -= size;
    const buffer = idle ?? Buffer.allocUnsafeSlow(size);
    this.#onLoan += 1;
    return new Slab(buffer, this);
  }

  /** Bytes on loan. */
  get loanBytes(): number {
    return this.#loanBytes;
  }

  /** What was refused since too much was on loan. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Counts `bytes` of another buffer as if they were on loan, until what it returns is called, which counts once.
   * Throws OVERLOADED as `take` does.
   */
  lend(bytes: number): () => void {
    this.#charge(bytes);
    let isLent = true;
    return () => {
      if (isLent) this.#loanBytes -= bytes;
      isLent = false;
    };
  }

  #charge(bytes: number): void {
    const { loanBytesMax } = this.#limits;
    const max = bytes > SMALL_BYTES_MAX ? LARGE_SHARE * loanBytesMax : loanBytesMax;
    if (this.#loanBytes + bytes > max) {
      this.#refused += 1;
      throw new BigCacheError('OVERLOADED');
    }
    this.#loanBytes += bytes;
  }

  /** Takes the buffer of a slab back, for the slab itself. */
  takeBack(buffer: Buffer): void {
    this.#onLoan -= 1;
    const size = buffer.length;
    this.#loanBytes -= size;
    if (size > SLAB_BYTES_MAX || this.#idleBytes + size > this.#limits.idleBytesMax) return;
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
