/** The policies of the simulation by name, and all of them over all traces. */
import { Fifo, Lru, Sieve } from './lists.ts';
import { type Figures, measure, type Policy } from './policy.ts';
import { Segmented } from './segmented.ts';
import { footprintOf, makeTrace, type Trace, type TraceSize } from './traces.ts';

/** Two workers, segments as `--segment-size auto` makes them, `--reclaim-garbage` as by default. */
const WRITERS = 2;
const SEGMENTS = 16 * WRITERS;
const GARBAGE_SHARE = 0.5;

type Maker = (capacityBytes: number, trace: Trace) => Policy;

export const POLICIES: Readonly<Record<string, Maker>> = {
  FIFO: (capacityBytes, { bytes }) => new Fifo(capacityBytes, bytes),
  LRU: (capacityBytes, { bytes }) => new Lru(capacityBytes, bytes),
  SIEVE: (capacityBytes, { bytes }) => new Sieve(capacityBytes, bytes),
  BigCache: segmented({ isSweep: true, knowsCosts: true }),
  'BigCache, costs unknown': segmented({ isSweep: true, knowsCosts: false }),
  'BigCache, as a queue': segmented({ isSweep: false, knowsCosts: true }),
};

function segmented(rules: { isSweep: boolean; knowsCosts: boolean }): Maker {
  return (capacityBytes, trace) => {
    const segmentBytes = capacityBytes / SEGMENTS;
    const shape = { capacityBytes, segmentBytes, writers: WRITERS, garbageShare: GARBAGE_SHARE };
    return new Segmented({ ...shape, ...rules }, trace);
  };
}

export interface Result extends Figures {
  readonly trace: string;
  readonly capacityShare: number;
  readonly policy: string;
}

/** One result after the other: each trace, at each share of its footprint, under each policy. */
export function* simulate(
  traces: readonly string[],
  capacityShares: readonly number[],
  size: TraceSize,
): Generator<Result> {
  for (const name of traces) {
    const trace = makeTrace(name, size);
    const footprintBytes = footprintOf(trace);
    const hasCosts = trace.costMs.some((cost) => cost > 0);
    for (const capacityShare of capacityShares) {
      for (const [policy, make] of Object.entries(POLICIES)) {
        // Without any costs it is the same as with the rule.
        if (policy === 'BigCache, costs unknown' && !hasCosts) continue;
        const figures = measure(make(footprintBytes * capacityShare, trace), trace);
        yield { trace: name, capacityShare, policy, ...figures };
      }
    }
  }
}
