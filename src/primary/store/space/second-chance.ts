/** Placeholder of the rule; replaced when its branch is merged. */
export type Verdict = 'visited' | 'dear' | 'evict';
export interface Candidate {
  readonly bytes: number;
  readonly visited: boolean;
  readonly costMs: number;
  readonly wasSpared: boolean;
}
export class SecondChance {
  #left: number;
  constructor(segmentBytes: number) {
    this.#left = segmentBytes / 2;
  }
  judge(candidate: Candidate): Verdict {
    if (!candidate.visited || candidate.bytes > this.#left) return 'evict';
    this.#left -= candidate.bytes;
    return 'visited';
  }
}
