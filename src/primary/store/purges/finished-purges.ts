/**
 * The purges of this run of the primary that have been worked off, by what they selected: an answer that
 * was made before one of them must not be stored after it. They judge no entry.
 */
import { type PurgeMark, PurgeMatchers } from './purge-matchers.ts';

const REMEMBERED_MAX = 4096;
/** UTF-16 units of all prefixes and tags together. */
const TEXT_LENGTH_MAX = 1024 * 1024;

export class FinishedPurges {
  readonly #matchers = new PurgeMatchers<PurgeMark>();
  /** In the order in which they ended. */
  readonly #remembered = new Set<PurgeMark>();
  #textLength = 0;
  /** The newest version that is not remembered any more: it may have taken anything. */
  #forgottenVersion = 0;
  readonly #rememberedMax: number;

  constructor(rememberedMax = REMEMBERED_MAX) {
    this.#rememberedMax = rememberedMax;
  }

  add({ version, prefix, tag }: PurgeMark): void {
    const mark = { version, prefix, tag };
    this.#matchers.add(mark);
    this.#remembered.add(mark);
    this.#textLength += lengthOf(mark);
    for (const oldest of this.#remembered) {
      const isFull =
        this.#remembered.size > this.#rememberedMax || this.#textLength > TEXT_LENGTH_MAX;
      if (!isFull) break;
      this.#forget(oldest);
    }
  }

  takes(key: string, version: number, tags: readonly string[]): boolean {
    return version < this.#forgottenVersion || this.#matchers.takes(key, version, tags);
  }

  #forget(mark: PurgeMark): void {
    this.#remembered.delete(mark);
    this.#matchers.remove(mark);
    this.#textLength -= lengthOf(mark);
    this.#forgottenVersion = Math.max(this.#forgottenVersion, mark.version);
  }
}

function lengthOf({ prefix, tag }: PurgeMark): number {
  return prefix.length + (tag?.length ?? 0);
}
