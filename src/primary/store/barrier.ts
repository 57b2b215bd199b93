/**
 * What stands between a batch of the write lane and its acknowledgement, in the primary: the disk,
 * as the lane sees it.
 */

export interface Barrier {
  /** Whether every batch must be on disk before it is acknowledged. */
  readonly syncsEachBatch: boolean;
  /**
   * Puts on disk what these segments hold now. Answers the segments for which that failed, with the
   * error for whoever points into them.
   */
  syncBodies(segments: ReadonlySet<number>): Promise<ReadonlyMap<number, Error>>;
  /**
   * Puts on disk what LevelDB's own sync of a batch leaves out: the logs before the current one, and
   * the names of all. Rejects when that fails.
   */
  syncRotatedLogs(): Promise<void>;
  /** Puts on disk every batch that was written before the call. Rejects when that fails. */
  syncLogs(): Promise<void>;
  /** A batch was written whose records point into these segments. */
  wrote(segments: ReadonlySet<number>): void;
}

/** Leaves everything to the operating system. */
export const NO_BARRIER: Barrier = {
  syncsEachBatch: false,
  syncBodies: () => Promise.resolve(new Map()),
  syncRotatedLogs: () => Promise.resolve(),
  syncLogs: () => Promise.resolve(),
  wrote: () => undefined,
};
