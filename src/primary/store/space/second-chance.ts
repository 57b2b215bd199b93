/**
 * The rule of the second chance: what of a reclaimed segment is copied and what is evicted. Used by the
 * job thread that reclaims and by the simulation; docs/decisions/eviction.md has the figures behind it.
 */

/** A live entry of the segment. */
export interface Candidate {
  /** Bytes that a copy of it takes; 0 when it is not copied but stays where it is. */
  readonly bytes: number;
  /** Whether it was read since it was written, or since its last chance. */
  readonly visited: boolean;
  /** What it costs to make it again; 0 when that is not known. */
  readonly costMs: number;
  /** Whether it was spared before for its cost alone, without having been read since. */
  readonly wasSpared: boolean;
}

/** Why an entry stays, or that it does not. A `dear` one is to be marked as spared. */
export type Verdict = 'visited' | 'dear' | 'evict';

/** At most this share of a segment is copied, so that reclaiming it always makes room. */
const COPIED_SHARE_MAX = 0.5;
/** Estimates of the segment are relied on from so many entries on. */
const ENTRIES_KNOWN_MIN = 16;
/**
 * When more was read than can be copied, an entry stays that is at most this many times as large as the
 * mean of those read, times the share of them that can be copied.
 */
const LARGE_FACTOR = 4;
/** An entry is dear from this many times the usual cost for each byte. */
const DEAR_FACTOR = 8;

/**
 * Judges the live entries of one segment in the order in which they lie, in constant memory: what is to
 * come is taken to be like what has been.
 *
 * INVARIANT: the entries that stay have at most half of the segment's bytes.
 */
export class SecondChance {
  readonly #liveBytes: number;
  /** Bytes that may still be copied. */
  #leftBytes: number;
  #judgedBytes = 0;
  #judged = 0;
  #visitedBytes = 0;
  #visited = 0;
  #costKnown = 0;
  /** Sum of the logarithms of all known costs for each byte. */
  #costLogs = 0;

  /** A segment of so many bytes, of which its live entries have `liveBytes`. */
  constructor(segmentBytes: number, liveBytes: number = segmentBytes) {
    this.#liveBytes = liveBytes;
    this.#leftBytes = segmentBytes * COPIED_SHARE_MAX;
  }

  judge(candidate: Candidate): Verdict {
    const demandBytes = this.#demandBytes();
    this.#judged += 1;
    this.#judgedBytes += candidate.bytes;
    const isDear = this.#isDear(candidate);
    let verdict: Verdict = 'evict';
    if (candidate.visited) {
      this.#visited += 1;
      this.#visitedBytes += candidate.bytes;
      if (this.#isSmallEnough(candidate.bytes, demandBytes)) verdict = 'visited';
    } else if (isDear && candidate.bytes <= this.#leftBytes - demandBytes) {
      // What was read comes first: cost gets only what that will leave.
      verdict = 'dear';
    }
    if (verdict !== 'evict') this.#leftBytes -= candidate.bytes;
    return verdict;
  }

  /** What the entries still to come would take if all of them stayed that were read. */
  #demandBytes(): number {
    if (this.#judged < ENTRIES_KNOWN_MIN || this.#judgedBytes === 0) return 0;
    const toComeBytes = Math.max(0, this.#liveBytes - this.#judgedBytes);
    return (this.#visitedBytes / this.#judgedBytes) * toComeBytes;
  }

  /** Where not all can stay, small ones do: they bring more hits for the same room. */
  #isSmallEnough(bytes: number, demandBytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    if (demandBytes <= this.#leftBytes) return true;
    const meanBytes = this.#visitedBytes / this.#visited;
    return bytes <= LARGE_FACTOR * meanBytes * (this.#leftBytes / demandBytes);
  }

  /**
   * Whether it costs far more for its size than is usual in this segment. Usual is the geometric mean,
   * which a single absurd cost hardly moves; entries whose cost is not known are left out of it.
   */
  #isDear({ bytes, costMs, wasSpared }: Candidate): boolean {
    if (costMs <= 0 || bytes === 0) return false;
    const costLog = Math.log(costMs / bytes);
    const usualLog = this.#costLogs / this.#costKnown;
    const isKnown = this.#costKnown >= ENTRIES_KNOWN_MIN;
    this.#costKnown += 1;
    this.#costLogs += costLog;
    return isKnown && !wasSpared && costLog > usualLog + Math.log(DEAR_FACTOR);
  }
}
