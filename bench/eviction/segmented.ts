/**
 * BigCache's own eviction, through the classes of the server: entries lie in segments, a sweep chooses
 * which one is reclaimed, the rule of the second chance what is copied. Copies are collected in a segment
 * of their own until it is full.
 */
import { SecondChance } from '../../src/primary/store/space/second-chance.ts';
import { Sweep } from '../../src/primary/store/space/sweep.ts';
import { hashKey } from '../../src/protocol/key-hash.ts';
import type { Policy } from './policy.ts';
import type { Trace } from './traces.ts';

export interface SegmentedOptions {
  readonly capacityBytes: number;
  readonly segmentBytes: number;
  /** Workers, each of which writes a segment of its own. */
  readonly writers: number;
  /** Share of garbage from which a segment is rewritten before anything is evicted. */
  readonly garbageShare: number;
  /** Whether copies stay in the place of their original, or go to the young end, as in a queue. */
  readonly isSweep: boolean;
  /** Whether the rule is told what entries cost. */
  readonly knowsCosts: boolean;
}

interface Segment {
  readonly id: number;
  readonly entries: number[];
  agedFromMs: number;
  fileBytes: number;
  liveBytes: number;
}

/** Visited bits for each entry that fits: as many as 10,000,000 entries have in 2^27 bits. */
const BITS_PER_ENTRY = 13.4;

export class Segmented implements Policy {
  bytesWritten = 0;
  bytesCopied = 0;
  readonly #options: SegmentedOptions;
  readonly #sweep = new Sweep();
  readonly #bytes: Int32Array;
  readonly #costMs: Float64Array;
  readonly #segmentOf: (Segment | undefined)[];
  readonly #placeOf: Int32Array;
  readonly #wasSpared: Uint8Array;
  readonly #visited: Uint8Array;
  readonly #bitOf: Int32Array;
  readonly #sealed = new Set<Segment>();
  readonly #open: Segment[];
  #copies: Segment;
  #sealedBytes = 0;
  #segments = 0;
  #writer = 0;

  constructor(options: SegmentedOptions, trace: Trace) {
    this.#options = options;
    this.#bytes = trace.bytes;
    this.#costMs = trace.costMs;
    const count = trace.bytes.length;
    this.#segmentOf = new Array(count).fill(undefined);
    this.#placeOf = new Int32Array(count);
    this.#wasSpared = new Uint8Array(count);
    const meanBytes = trace.bytes.reduce((sum, bytes) => sum + bytes, 0) / count;
    this.#visited = new Uint8Array((options.capacityBytes / meanBytes) * BITS_PER_ENTRY + 1);
    this.#bitOf = Int32Array.from(
      { length: count },
      (_, entry) => hashKey(`/page/${entry}`) % this.#visited.length,
    );
    this.#open = Array.from({ length: options.writers }, () => this.#newSegment());
    this.#copies = this.#newSegment();
  }

  read(entry: number): boolean {
    if (this.#segmentOf[entry] === undefined) return false;
    this.#mark(entry, 1);
    return true;
  }

  write(entry: number): void {
    const bytes = this.#bytes[entry] as number;
    this.bytesWritten += bytes;
    // What is overwritten while it is there keeps its mark: its key was asked for.
    if (this.#segmentOf[entry] === undefined) this.#mark(entry, 0);
    this.#forget(entry);
    this.#wasSpared[entry] = 0;
    this.#writer = (this.#writer + 1) % this.#options.writers;
    let segment = this.#open[this.#writer] as Segment;
    if (segment.fileBytes + bytes > this.#options.segmentBytes) {
      this.#seal(segment);
      this.#makeRoom();
      segment = this.#newSegment();
      this.#open[this.#writer] = segment;
    }
    this.#append(segment, entry);
  }

  /** Open segments count whole: one for each writer, and the one of the copies. */
  #makeRoom(): void {
    const { capacityBytes, segmentBytes, writers } = this.#options;
    const roomBytes = capacityBytes - (writers + 1) * segmentBytes;
    while (this.#sealedBytes > roomBytes) this.#reclaim();
  }

  #reclaim(): void {
    const wasteful = this.#mostGarbage();
    if (wasteful !== undefined) {
      this.#empty(wasteful, () => true);
      return;
    }
    // A set keeps the order in which segments were sealed.
    const [sealedFirst] = this.#sealed;
    const victim = this.#options.isSweep ? this.#sweep.next(this.#sealed) : sealedFirst;
    if (victim === undefined) throw new Error('there is nothing to reclaim');
    if (this.#options.isSweep) this.#copies.agedFromMs = victim.agedFromMs;
    const chance = new SecondChance(victim.fileBytes, victim.liveBytes);
    this.#empty(victim, (entry) => this.#isSpared(entry, chance));
  }

  /** Copies what stays of a segment and drops it. */
  #empty(victim: Segment, stays: (entry: number) => boolean): void {
    victim.entries.forEach((entry, place) => {
      if (this.#segmentOf[entry] !== victim || this.#placeOf[entry] !== place) return;
      const isSpared = stays(entry);
      this.#forget(entry);
      if (isSpared) this.#copy(entry);
    });
    this.#sealed.delete(victim);
    this.#sealedBytes -= victim.fileBytes;
  }

  #copy(entry: number): void {
    const bytes = this.#bytes[entry] as number;
    if (this.#copies.fileBytes + bytes > this.#options.segmentBytes) this.#sealCopies();
    this.bytesCopied += bytes;
    this.#append(this.#copies, entry);
  }

  #sealCopies(): void {
    const { agedFromMs } = this.#copies;
    this.#seal(this.#copies);
    this.#copies = this.#newSegment();
    if (this.#options.isSweep) this.#copies.agedFromMs = agedFromMs;
  }

  #isSpared(entry: number, chance: SecondChance): boolean {
    const verdict = chance.judge({
      bytes: this.#bytes[entry] as number,
      visited: this.#visited[this.#bitOf[entry] as number] === 1,
      costMs: this.#options.knowsCosts ? (this.#costMs[entry] as number) : 0,
      wasSpared: this.#wasSpared[entry] === 1,
    });
    this.#mark(entry, 0);
    this.#wasSpared[entry] = verdict === 'dear' ? 1 : 0;
    return verdict !== 'evict';
  }

  #mark(entry: number, bit: 0 | 1): void {
    this.#visited[this.#bitOf[entry] as number] = bit;
  }

  #append(segment: Segment, entry: number): void {
    const bytes = this.#bytes[entry] as number;
    this.#segmentOf[entry] = segment;
    this.#placeOf[entry] = segment.entries.length;
    segment.entries.push(entry);
    segment.fileBytes += bytes;
    segment.liveBytes += bytes;
  }

  #forget(entry: number): void {
    const segment = this.#segmentOf[entry];
    if (segment === undefined) return;
    segment.liveBytes -= this.#bytes[entry] as number;
    this.#segmentOf[entry] = undefined;
  }

  #seal(segment: Segment): void {
    if (segment.entries.length === 0) return;
    this.#sealed.add(segment);
    this.#sealedBytes += segment.fileBytes;
  }

  #newSegment(): Segment {
    this.#segments += 1;
    const place = { id: this.#segments, agedFromMs: this.#segments };
    return { ...place, entries: [], fileBytes: 0, liveBytes: 0 };
  }

  #mostGarbage(): Segment | undefined {
    let [found, most] = [undefined as Segment | undefined, this.#options.garbageShare];
    for (const segment of this.#sealed) {
      const share = 1 - segment.liveBytes / segment.fileBytes;
      if (share < most) continue;
      [found, most] = [segment, share];
    }
    return found;
  }
}
