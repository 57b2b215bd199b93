/**
 * What a series is, for both of its renderings: the text of `/metrics` and the JSON of `/v1/stats`. The
 * families are tables of these (families/), and docs/metrics.md has a row for each.
 */
import { figuresFromList, WORKER_COUNTS, type WorkerCounts } from '../../protocol/figures.ts';
import type { Statistics } from '../../protocol/statistics.ts';
import type { RouteFigures } from './traffic.ts';

/** Everything that the renderings read. */
export interface Snapshot extends Statistics {
  readonly routes: readonly RouteFigures[];
  /** The counts of all workers together. */
  readonly workers: WorkerCounts;
  readonly version: string;
}

/** Counts of LATENCY_BUCKETS, and the sum of all in microseconds. */
export interface Latencies {
  readonly latencies: readonly number[];
  readonly sumUs: number;
}

/** A value by its labels, which stand in the order of the family's. */
export interface Sample<Value> {
  readonly labels: readonly string[];
  readonly value: Value;
}

interface FamilyBase {
  /** As Prometheus has it: in base units, `_total` at the end of what only grows. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Where it stands in `/v1/stats`: member names from the outside in. Values of labels come below. */
  readonly path: readonly string[];
}

export interface NumberFamily extends FamilyBase {
  readonly type: 'counter' | 'gauge';
  /** What a value is multiplied with in `/v1/stats`, where it has another unit. */
  readonly jsonScale: number;
  /** REQUIRES: the labels are the same for every snapshot of a server. */
  read(all: Snapshot): readonly Sample<number>[];
}

export interface LatencyFamily extends FamilyBase {
  readonly type: 'histogram';
  read(all: Snapshot): readonly Sample<Latencies>[];
}

export type Family = NumberFamily | LatencyFamily;

export type Read = (all: Snapshot) => number;
export type ReadLabelled = (all: Snapshot) => readonly Sample<number>[];

const MS_PER_SECOND = 1000;

/** Something that only grows. `path` is written `leases.given`. */
export function counter(name: string, path: string, help: string, read: Read): NumberFamily {
  return plain('counter', name, path, help, read);
}

/** Something that goes up and down. */
export function gauge(name: string, path: string, help: string, read: Read): NumberFamily {
  return plain('gauge', name, path, help, read);
}

/** Seconds for Prometheus, milliseconds in the JSON: `read` gives milliseconds. */
export function inMs(family: NumberFamily): NumberFamily {
  return {
    ...family,
    jsonScale: MS_PER_SECOND,
    read: (all) =>
      family.read(all).map(({ labels, value }) => ({ labels, value: value / MS_PER_SECOND })),
  };
}

/** The same with labels. */
export function labelled(
  type: NumberFamily['type'],
  name: string,
  path: string,
  labels: readonly string[],
  help: string,
  read: ReadLabelled,
): NumberFamily {
  return { type, name, help, labels, path: path.split('.'), jsonScale: 1, read };
}

function plain(
  type: NumberFamily['type'],
  name: string,
  path: string,
  help: string,
  read: Read,
): NumberFamily {
  return labelled(type, name, path, [], help, (all) => [{ labels: [], value: read(all) }]);
}

/** One sample for each name, which is the value of the only label. */
export function byName(values: Readonly<Record<string, number>>): Sample<number>[] {
  return Object.entries(values).map(([name, value]) => ({ labels: [name], value }));
}

export function workerCountsOf({ tally }: Statistics): WorkerCounts {
  return figuresFromList(WORKER_COUNTS, tally);
}
