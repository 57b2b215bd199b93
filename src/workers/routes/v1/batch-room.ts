/**
 * The room for bodies that the answers of batches hold in this worker: so much for one batch, and so much for
 * all of them together.
 */
import { BigCacheError } from '../../../protocol/errors.ts';

/** Of the bodies in one answer together. */
export const BATCH_BODIES_BYTES_MAX = 16 * 1024 * 1024;
/** Of those in all answers of a worker that have not left yet. */
const WORKER_BODIES_BYTES_MAX = 64 * 1024 * 1024;

/** What all batches of a worker share. */
export class AnswerRoom {
  heldBytes = 0;
  readonly bytesMax: number;

  constructor(bytesMax = WORKER_BODIES_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }
}

/** The room of one batch. */
export class BatchRoom {
  readonly #shared: AnswerRoom;
  #heldBytes = 0;

  constructor(shared: AnswerRoom) {
    this.#shared = shared;
  }

  /** Throws BATCH_FULL, or OVERLOADED where other batches hold too much. */
  take(bytes: number): void {
    if (this.#heldBytes + bytes > BATCH_BODIES_BYTES_MAX) throw new BigCacheError('BATCH_FULL');
    if (this.#shared.heldBytes + bytes > this.#shared.bytesMax)
      throw new BigCacheError('OVERLOADED');
    this.#heldBytes += bytes;
    this.#shared.heldBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#shared.heldBytes -= bytes;
  }

  /** Gives back all that is held: the answer has left, or there will be none. */
  close(): void {
    this.giveBack(this.#heldBytes);
  }
}
