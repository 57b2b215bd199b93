/** The traces of the simulation: what is asked for, how large it is and what it costs to make. */
import { logNormalFrom, randomFrom, shuffled, zipfFrom } from './random.ts';

/** Requests of entries, which are numbered from 0. */
export interface Trace {
  readonly name: string;
  /** The entry that each request is for. */
  readonly requests: Int32Array;
  /** For each request: 1 when it stores the entry anew, which is neither a hit nor a miss. */
  readonly isWrite: Uint8Array;
  /** Of each entry. */
  readonly bytes: Int32Array;
  /** Of each entry; 0 where it is not known. */
  readonly costMs: Float64Array;
}

export interface TraceSize {
  readonly seed: number;
  readonly requests: number;
  /** Entries that are asked for again and again. */
  readonly entries: number;
}

interface TracePlan {
  readonly name: string;
  readonly alpha: number;
  /** Of the requests, those that belong to a scan: a run over neighbours, from a random one. */
  readonly scanShare?: number;
  /** Of the requests, those for an entry that is never asked for again. */
  readonly onceShare?: number;
  /** Of the requests, those that store an entry anew; which one goes by popularity, too. */
  readonly writeShare?: number;
  /** Each time that so many requests are over, the least popular entry becomes the most popular. */
  readonly driftEvery?: number;
  readonly hasCosts?: boolean;
}

const PLANS: readonly TracePlan[] = [
  { name: 'Zipf 0.6', alpha: 0.6 },
  { name: 'Zipf 0.8', alpha: 0.8 },
  { name: 'Zipf 1.0', alpha: 1 },
  { name: 'scans', alpha: 0.8, scanShare: 0.2 },
  { name: 'one-hit wonders', alpha: 0.8, onceShare: 0.3 },
  { name: 'drift', alpha: 0.8, driftEvery: 200 },
  { name: 'overwrites', alpha: 0.8, writeShare: 0.2 },
  { name: 'costs', alpha: 0.8, hasCosts: true },
  { name: 'costs, one-hit wonders', alpha: 0.8, onceShare: 0.3, hasCosts: true },
];

export const TRACE_NAMES: readonly string[] = PLANS.map(({ name }) => name);

/** Half of all pages have less than 8 KiB, none more than 256 KiB; the mean is about 16 KiB. */
const BYTES = { median: 8192, sigma: 1.2, min: 128, max: 256 * 1024 } as const;
/** Half of all pages are made in less than 100 ms; one in fifty takes more than a second. */
const COST_MS = { median: 100, sigma: 1.2 } as const;
const SCAN_LENGTH = 10_000;

/** The trace of that name. The same seed gives the same trace. */
export function makeTrace(name: string, size: TraceSize): Trace {
  const plan = PLANS.find((one) => one.name === name);
  if (plan === undefined) throw new RangeError(`there is no trace ${name}`);
  const random = randomFrom(size.seed);
  const requests = new Int32Array(size.requests);
  const isWrite = new Uint8Array(size.requests);
  const popular = popularFrom(random, plan, size.entries);
  const scan = scanFrom(random, size.entries);
  let count = size.entries;
  const { onceShare = 0, scanShare = 0, writeShare = 0 } = plan;
  for (let at = 0; at < size.requests; at++) {
    const drawn = random();
    if (drawn < onceShare) requests[at] = count++;
    else if (drawn < onceShare + scanShare) requests[at] = scan();
    else requests[at] = popular(at);
    isWrite[at] = drawn >= 1 - writeShare ? 1 : 0;
  }
  return { name, requests, isWrite, ...entriesFrom(random, plan, count) };
}

/** Which entry is asked for at a moment. Its number says nothing about its popularity. */
function popularFrom(
  random: () => number,
  plan: TracePlan,
  entries: number,
): (at: number) => number {
  const zipf = zipfFrom(random, entries, plan.alpha);
  const entryOf = shuffled(random, entries);
  return (at) => {
    const shift = plan.driftEvery === undefined ? 0 : Math.floor(at / plan.driftEvery);
    const place = (zipf() - shift) % entries;
    return entryOf[place < 0 ? place + entries : place] as number;
  };
}

function scanFrom(random: () => number, entries: number): () => number {
  let [next, left] = [0, 0];
  return () => {
    if (left === 0) [next, left] = [Math.floor(random() * entries), SCAN_LENGTH];
    left -= 1;
    next = (next + 1) % entries;
    return next;
  };
}

function entriesFrom(
  random: () => number,
  plan: TracePlan,
  count: number,
): Pick<Trace, 'bytes' | 'costMs'> {
  const bytesOf = logNormalFrom(random, BYTES.median, BYTES.sigma);
  const costOf = logNormalFrom(random, COST_MS.median, COST_MS.sigma);
  const bytes = new Int32Array(count);
  const costMs = new Float64Array(count);
  for (let entry = 0; entry < count; entry++) {
    bytes[entry] = Math.min(Math.max(Math.round(bytesOf()), BYTES.min), BYTES.max);
    if (plan.hasCosts) costMs[entry] = Math.ceil(costOf());
  }
  return { bytes, costMs };
}

/** The bytes of all entries that a trace asks for, each once. */
export function footprintOf(trace: Trace): number {
  const isAskedFor = new Uint8Array(trace.bytes.length);
  for (const entry of trace.requests) isAskedFor[entry] = 1;
  return trace.bytes.reduce((sum, bytes, entry) => sum + (isAskedFor[entry] ? bytes : 0), 0);
}
