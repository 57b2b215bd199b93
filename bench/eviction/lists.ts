/**
 * The policies that keep every entry in one list, as a cache in memory can: FIFO, LRU and SIEVE (Zhang
 * et al., "SIEVE is Simpler than LRU", NSDI 2024). They use their whole capacity for bodies.
 */
import type { Policy } from './policy.ts';

const NONE = -1;

abstract class ListPolicy implements Policy {
  bytesWritten = 0;
  readonly bytesCopied = 0;
  readonly #capacityBytes: number;
  readonly #bytes: Int32Array;
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #isThere: Uint8Array;
  #newest = NONE;
  #usedBytes = 0;
  protected oldest = NONE;

  constructor(capacityBytes: number, bytes: Int32Array) {
    this.#capacityBytes = capacityBytes;
    this.#bytes = bytes;
    this.#newer = new Int32Array(bytes.length);
    this.#older = new Int32Array(bytes.length);
    this.#isThere = new Uint8Array(bytes.length);
  }

  read(entry: number): boolean {
    if (this.#isThere[entry] === 0) return false;
    this.touch(entry);
    return true;
  }

  write(entry: number): void {
    const bytes = this.#bytes[entry] as number;
    this.bytesWritten += bytes;
    if (this.#isThere[entry] === 1) {
      this.overwrite(entry);
      return;
    }
    if (bytes > this.#capacityBytes) return;
    while (this.#usedBytes + bytes > this.#capacityBytes) this.remove(this.victim());
    this.insert(entry);
  }

  /** A read found the entry. */
  protected abstract touch(entry: number): void;
  /** A new body of the same size takes the place of the old one, as it can in memory. */
  protected overwrite(_entry: number): void {}
  /** The entry to evict. REQUIRES: there is one. */
  protected abstract victim(): number;

  protected newerThan(entry: number): number {
    return this.#newer[entry] as number;
  }

  protected insert(entry: number): void {
    this.#isThere[entry] = 1;
    this.#usedBytes += this.#bytes[entry] as number;
    this.#newer[entry] = NONE;
    this.#older[entry] = this.#newest;
    if (this.#newest === NONE) this.oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
  }

  protected remove(entry: number): void {
    this.#isThere[entry] = 0;
    this.#usedBytes -= this.#bytes[entry] as number;
    const [newer, older] = [this.#newer[entry] as number, this.#older[entry] as number];
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.oldest = newer;
    else this.#newer[older] = newer;
  }
}

/** Evicts what was stored first. */
export class Fifo extends ListPolicy {
  protected touch(): void {}

  protected victim(): number {
    return this.oldest;
  }
}

/** Evicts what was not read or stored for longest. */
export class Lru extends ListPolicy {
  protected touch(entry: number): void {
    this.remove(entry);
    this.insert(entry);
  }

  protected override overwrite(entry: number): void {
    this.touch(entry);
  }

  protected victim(): number {
    return this.oldest;
  }
}

/**
 * SIEVE: a hand goes from the oldest entry to the newest and then from the oldest again. It takes the
 * mark of being read from those that it passes, and stops at the first without; that one is evicted, and
 * the hand goes on from there the next time. Nothing ever changes its place.
 */
export class Sieve extends ListPolicy {
  readonly #isVisited: Uint8Array;
  #hand = NONE;

  constructor(capacityBytes: number, bytes: Int32Array) {
    super(capacityBytes, bytes);
    this.#isVisited = new Uint8Array(bytes.length);
  }

  protected touch(entry: number): void {
    this.#isVisited[entry] = 1;
  }

  protected victim(): number {
    let hand = this.#hand === NONE ? this.oldest : this.#hand;
    while (this.#isVisited[hand] === 1) {
      this.#isVisited[hand] = 0;
      const newer = this.newerThan(hand);
      hand = newer === NONE ? this.oldest : newer;
    }
    this.#hand = hand;
    return hand;
  }

  protected override remove(entry: number): void {
    if (this.#hand === entry) this.#hand = this.newerThan(entry);
    this.#isVisited[entry] = 0;
    super.remove(entry);
  }
}
