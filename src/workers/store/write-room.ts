/**
 * The writes that a worker has under way: so many at most, since each holds its body and waits for those before
 * it. What comes beyond is refused at once.
 */
import { BigCacheError } from '../../protocol/errors.ts';

export class WriteRoom {
  readonly #writesMax: number;
  #underWay = 0;
  #refused = 0;

  constructor(writesMax: number) {
    this.#writesMax = writesMax;
  }

  /** Writes that have begun and not ended. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Writes that were refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Runs `write`; rejects as it does, or with OVERLOADED, and then it has not begun. */
  async run<T>(write: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#writesMax) {
      this.#refused += 1;
      throw new BigCacheError('OVERLOADED');
    }
    this.#underWay += 1;
    try {
      return await write();
    } finally {
      this.#underWay -= 1;
    }
  }
}
