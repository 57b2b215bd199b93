/**
 * Bodies that cost next to nothing to make and to verify, and that no disk can make smaller: a stamp that
 * names the key and the write, then a cut from one random buffer. Key and write tell all of a body.
 */
import { randomBytes } from 'node:crypto';
import { randomFrom } from '../../../bench/eviction/random.ts';

const KiB = 1024;
const SMALLEST_BYTES = KiB;
const LARGE_BYTES = 256 * KiB;
const HUGE_BYTES = 2 * KiB * KiB;
const HUGE_SHARE = 0.02;

/** What a body has on average: sizes are spread evenly over their logarithms. */
export const MEAN_BODY_BYTES =
  HUGE_SHARE * HUGE_BYTES +
  ((1 - HUGE_SHARE) * (LARGE_BYTES - SMALLEST_BYTES)) / Math.log(LARGE_BYTES / SMALLEST_BYTES);

export interface Body {
  readonly stamp: string;
  readonly filler: Buffer;
}

export class Bodies {
  readonly #filler = randomBytes(4 * HUGE_BYTES);

  /** The body of the `write`th change, which is one of `key`. */
  of(key: string, write: number): Body {
    const random = randomFrom(write);
    const bytes =
      random() < HUGE_SHARE
        ? HUGE_BYTES
        : Math.floor(SMALLEST_BYTES * (LARGE_BYTES / SMALLEST_BYTES) ** random());
    const stamp = `${key}\n${write}\n`;
    const from = Math.floor(random() * (this.#filler.length - HUGE_BYTES));
    return { stamp, filler: this.#filler.subarray(from, from + bytes - stamp.length) };
  }

  /** Which change made `body`; undefined unless it is whole and belongs to `key`. */
  writeOf(key: string, body: Buffer): number | undefined {
    const [, owner, write] = /^([^\n]+)\n(\d+)\n/.exec(body.toString('latin1', 0, 200)) ?? [];
    if (owner !== key || write === undefined) return undefined;
    const { stamp, filler } = this.of(key, Number(write));
    const isWhole = body.length === stamp.length + filler.length;
    return isWhole && body.subarray(stamp.length).equals(filler) ? Number(write) : undefined;
  }
}
