/**
 * What the primary and the job that copies out of a segment tell each other.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Move, SeenAt } from '../store/operations.ts';
import type { PurgeMark } from '../store/purges/purge-matchers.ts';
import type { SourceFaultKind } from './source-fault.ts';

/** Where copies go: a segment that was granted to this job, and how much it may get. */
export interface CopyTarget {
  readonly id: number;
  readonly writer: number;
  readonly createdAtMs: number;
  /** Where to go on in it; 0 for a file that is still to be created. */
  readonly end: number;
  readonly bytesMax: number;
}

export interface CopyRequest {
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly segmentPath: string;
  readonly segment: number;
  /** `all`: whatever is live stays. `chance`: what deserves it. `nothing`: all of it is evicted. */
  readonly keep: 'all' | 'chance' | 'nothing';
  /** Bytes of the segment, of which at most half may be copied for `chance`. */
  readonly fileBytes: number;
  /** Bytes of its live entries. */
  readonly bytesLive: number;
  readonly visited: SharedArrayBuffer;
  readonly nowMs: number;
  readonly clearVersion: number;
  /** Hard ones: what others make stale is copied as it is. */
  readonly purges: readonly PurgeMark[];
  /**
   * Only these records are gone through, each by its own pointer: the appends behind them were not found
   * by walking the file.
   */
  readonly seen?: readonly SeenAt[];
  readonly port: MessagePort;
}

/** What the job tells the primary; it waits for a CopyAnswer after each. */
export type CopyNews =
  | { readonly kind: 'target-needed' }
  | {
      readonly kind: 'batch';
      readonly moves: readonly Move[];
      readonly evicted: readonly SeenAt[];
      /** Expired or purged: removed, not evicted. */
      readonly dead: readonly SeenAt[];
      /** Not as they were written. */
      readonly damaged: readonly SeenAt[];
      readonly copiedBytes: number;
      readonly targetEnd: number;
    };

/** What the primary answers: go on, perhaps in another target; or stop. */
export interface CopyAnswer {
  readonly stop: boolean;
  readonly target?: CopyTarget;
}

export interface CopyResult {
  /** Whether the segment was gone through to its end. */
  readonly isComplete: boolean;
  /** Why the segment could not be read to its end. What was read before is settled. */
  readonly fault: SourceFaultKind | undefined;
  /** The key of a body that stands alone here and deserves to stay: nothing was copied. */
  readonly renew: string | undefined;
}
