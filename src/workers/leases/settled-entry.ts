/**
 * An entry that has come for those who waited for it in this worker: its record decoded once, its body
 * read once for all who are shown the same of it.
 */
import { decodeRecord, type EntryRecord } from '../../protocol/record.ts';
import type { Content, Framing } from '../store/store.ts';

interface Shared {
  readonly framing: Framing;
  readonly opening: Promise<SharedContent>;
}

export class SettledEntry {
  readonly #encoded: Buffer;
  #record: EntryRecord | undefined;
  #isDecoded = false;
  /** Those who waited and have not been served yet. */
  #toServe: number;
  /** What was opened first, in the encoding in which it is stored and plain. */
  readonly #shared = new Map<boolean, Shared>();

  constructor(encoded: Buffer, waiters: number) {
    this.#encoded = encoded;
    this.#toServe = waiters;
  }

  /** The record, or undefined when it is damaged. */
  record(key: string): EntryRecord | undefined {
    if (!this.#isDecoded) this.#record = decodeRecord(Buffer.from(key), this.#encoded);
    this.#isDecoded = true;
    return this.#record;
  }

  /**
   * The body in `framing`: opened by `open` for the first who asks, and lent to all who ask for the same,
   * in each of the two forms in which it is shown.
   * Rejects with what `open` rejects with.
   */
  async content(framing: Framing, open: () => Promise<Content>): Promise<Content> {
    const form = framing.encoded === true;
    let shared = this.#shared.get(form);
    if (shared === undefined) {
      shared = { framing, opening: open().then((content) => new SharedContent(content)) };
      this.#shared.set(form, shared);
    }
    const { framing: first, opening } = shared;
    if (!isSame(first, framing)) return await open();
    // What is streamed can be read by one only.
    return (await opening).lend() ?? (await open());
  }

  /** One who waited has been served, or has failed; the last one gives the body back. */
  served(): void {
    this.#toServe -= 1;
    if (this.#toServe > 0) return;
    for (const { opening } of this.#shared.values()) {
      opening.then(
        (shared) => shared.release(),
        () => undefined,
      );
    }
  }
}

function isSame(one: Framing, other: Framing): boolean {
  if (one.range !== undefined || other.range !== undefined) return false;
  return one.prologue.equals(other.prologue) && one.epilogue.equals(other.epilogue);
}

/** A whole content with several readers: given back when the last of them and its owner are done. */
class SharedContent {
  readonly #content: Content;
  #holders = 1;

  constructor(content: Content) {
    this.#content = content;
  }

  lend(): Content | undefined {
    const { whole, byteLength } = this.#content;
    if (whole === undefined) return undefined;
    this.#holders += 1;
    let isReleased = false;
    return {
      byteLength,
      whole,
      chunks: () => this.#content.chunks(),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.release();
      },
    };
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#content.release();
  }
}
