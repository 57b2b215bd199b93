/** What every policy of the simulation does, and the measuring of one over a trace. */
import type { Trace } from './traces.ts';

/** A cache of a fixed size in bytes. Entries are numbers, their sizes are those of a trace. */
export interface Policy {
  /** Whether the entry is there. */
  read(entry: number): boolean;
  /** Stores the entry, new or anew, and evicts what it must for that. */
  write(entry: number): void;
  /** Bytes stored by `write`. */
  readonly bytesWritten: number;
  /** Bytes that the policy itself copied, to keep them. */
  readonly bytesCopied: number;
}

export interface Figures {
  /** Of the reads, those that found their entry. */
  readonly hitRatio: number;
  /** The same, each weighed with the bytes of its entry. */
  readonly byteHitRatio: number;
  /** The same, each weighed with the cost of its entry; undefined when no entry has one. */
  readonly costHitRatio: number | undefined;
  /** Bytes copied for each byte written. */
  readonly copiedRatio: number;
}

/**
 * Runs a trace over a policy; a miss stores the entry. Reads count after the first `warmUpShare` of the
 * requests, so that an empty cache does not.
 */
export function measure(policy: Policy, trace: Trace, warmUpShare = 0.25): Figures {
  const [hits, reads] = [newSum(), newSum()];
  const warmAt = Math.floor(trace.requests.length * warmUpShare);
  let [writtenBefore, copiedBefore] = [0, 0];
  trace.requests.forEach((entry, at) => {
    if (at === warmAt) [writtenBefore, copiedBefore] = [policy.bytesWritten, policy.bytesCopied];
    if (trace.isWrite[at] === 1) {
      policy.write(entry);
      return;
    }
    const isHit = policy.read(entry);
    if (!isHit) policy.write(entry);
    if (at < warmAt) return;
    add(reads, trace, entry);
    if (isHit) add(hits, trace, entry);
  });
  const written = policy.bytesWritten - writtenBefore;
  return {
    hitRatio: hits.count / reads.count,
    byteHitRatio: hits.bytes / reads.bytes,
    costHitRatio: reads.costMs === 0 ? undefined : hits.costMs / reads.costMs,
    copiedRatio: written === 0 ? 0 : (policy.bytesCopied - copiedBefore) / written,
  };
}

interface Sum {
  count: number;
  bytes: number;
  costMs: number;
}

function newSum(): Sum {
  return { count: 0, bytes: 0, costMs: 0 };
}

function add(sum: Sum, trace: Trace, entry: number): void {
  sum.count += 1;
  sum.bytes += trace.bytes[entry] as number;
  sum.costMs += trace.costMs[entry] as number;
}
