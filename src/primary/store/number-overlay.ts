/**
 * What one batch of the write lane does to the numbers of the store: versions, the count of entries, those
 * that were evicted, the last clear, and where the hand goes on. Nobody else sees any of it, but versions,
 * until the batch is published.
 */
import { encodeNumber, type MetaName, metaKey } from './index/index-keys.ts';
import type { IndexChange } from './index/index-writes.ts';
import { atLeastNothing } from './recounted.ts';
import { epochIsSpent, type StoreState, VERSIONS_PER_EPOCH } from './state.ts';

export class NumberOverlay {
  readonly #state: StoreState;
  #count: number;
  #evicted: number;
  #clearVersion: number;
  #recounted = false;
  #reservedUpTo: number | undefined;
  #handPosition: Buffer | undefined;

  constructor(state: StoreState) {
    this.#state = state;
    this.#count = state.count;
    this.#evicted = state.evicted;
    this.#clearVersion = state.purges.clearVersion;
  }

  /** Versions rise over the whole life of the store. A version may be given and then not be used. */
  takeVersion(): number {
    const version = this.#state.nextVersion;
    if (epochIsSpent(version)) this.#reservedUpTo = version + VERSIONS_PER_EPOCH;
    this.#state.nextVersion += 1;
    return version;
  }

  /** The next epoch must be on disk before the first of its versions is acknowledged. */
  get hasReserved(): boolean {
    return this.#reservedUpTo !== undefined;
  }

  /** Entries of this version and older are gone. */
  get clearVersion(): number {
    return this.#clearVersion;
  }

  countEntry(): void {
    this.#count += 1;
  }

  discountEntry(): void {
    this.#count = atLeastNothing(this.#count - 1, this.#state);
  }

  /** Entries of before that are gone for want of room. */
  countEvicted(entries: number): void {
    this.#evicted += entries;
  }

  /** Nothing of this version or older counts any more. */
  clear(version: number): void {
    this.#clearVersion = version;
    this.#count = 0;
  }

  /** A recount has ended; the counters were off by `count`. */
  correct(count: number): void {
    this.#recounted = true;
    this.#count = Math.max(0, this.#count + count);
  }

  /** Saves where the hand goes on after a restart. */
  saveHandPosition(position: Buffer): void {
    this.#handPosition = position;
  }

  changes(): IndexChange[] {
    const state = this.#state;
    const changes: IndexChange[] = [];
    const put = (name: MetaName, value: number): void => {
      changes.push({ type: 'put', key: metaKey(name), value: encodeNumber(name, value) });
    };
    if (this.#reservedUpTo !== undefined) put('versions', this.#reservedUpTo);
    if (this.#count !== state.count || this.#recounted) put('count', Math.max(0, this.#count));
    if (this.#evicted !== state.evicted) put('evicted', this.#evicted);
    if (this.#clearVersion !== state.purges.clearVersion) put('clear', this.#clearVersion);
    if (this.#recounted) changes.push({ type: 'del', key: metaKey('recount') });
    if (this.#handPosition !== undefined) {
      changes.push({ type: 'put', key: metaKey('hand'), value: this.#handPosition });
    }
    return changes;
  }

  /** Makes it the truth; the clear becomes so with its purge. REQUIRES: `changes` are in the index. */
  publish(): void {
    const state = this.#state;
    state.count = this.#count;
    state.evicted = this.#evicted;
    if (this.#recounted) state.countsAreSure = true;
    if (this.#handPosition !== undefined) state.handPosition = this.#handPosition;
  }
}
