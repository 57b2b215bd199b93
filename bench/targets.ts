/** What is promised of the server's speed: as data, and whether a run reached it. */
import { mediansOf } from './medians.ts';
import type { Measured } from './results.ts';
import type { RoundFigures } from './round.ts';
import type { Series } from './series.ts';
import {
  CONNECTION_PER_REQUEST,
  PAGES_GZIP,
  READ_HOT,
  READ_WHILE_WRITING,
  SERVERS,
  VOLUME,
  WRITE_NEW,
} from './workloads.ts';

export interface Target {
  readonly workload: string;
  /** undefined: of whatever the workload has. */
  readonly bodyBytes: number | undefined;
  readonly measure:
    | 'cpuUsPerRequest'
    | 'requestsPerSecond'
    | 'p99Ms'
    | 'writtenPerByte'
    | 'stallMs';
  readonly of: string;
  /** The figure is divided by that of this server of the same run; undefined: it counts as it is. */
  readonly against: string | undefined;
  readonly sense: 'at most' | 'at least';
  readonly limit: number;
  /** What it has come to where the limit is not kept yet: beyond 1.3 times that it has become worse. */
  readonly soFar?: number;
}

export interface Verdict {
  readonly target: Target;
  /** undefined: not measured. */
  readonly value: number | undefined;
}

const KIB = 1024;
const { bigcache, withoutHeldRecords, uncompressed, bare, fastapi, nginx, webdis } = SERVERS;

const atMost = (
  workload: string,
  bodyBytes: number | undefined,
  measure: Target['measure'],
  of: string,
  limit: number,
  against?: string,
  soFar?: number,
): Target => {
  const target = { workload, bodyBytes, measure, of, against, limit };
  return { ...target, sense: 'at most', ...(soFar === undefined ? {} : { soFar }) };
};

const rateAtLeast = (
  workload: string,
  bodyBytes: number,
  of: string,
  limit: number,
  against: string,
): Target => {
  const measure = 'requestsPerSecond';
  return { workload, bodyBytes, measure, of, against, sense: 'at least', limit };
};

const HOT = READ_HOT.name;

export const TARGETS: readonly Target[] = [
  atMost(HOT, KIB, 'cpuUsPerRequest', bigcache, 1.35, bare),
  atMost(HOT, KIB, 'cpuUsPerRequest', withoutHeldRecords, 2.3, bare),
  atMost(HOT, 32 * KIB, 'cpuUsPerRequest', bigcache, 1.5, bare),
  atMost(HOT, 32 * KIB, 'cpuUsPerRequest', withoutHeldRecords, 2.2, bare, 2.45),
  atMost(PAGES_GZIP.name, undefined, 'cpuUsPerRequest', bigcache, 1.5, bare),
  rateAtLeast(HOT, KIB, bigcache, 15, fastapi),
  rateAtLeast(HOT, 32 * KIB, bigcache, 20, fastapi),
  rateAtLeast(HOT, KIB, bigcache, 1.5, webdis),
  rateAtLeast(HOT, 32 * KIB, bigcache, 4, webdis),
  rateAtLeast(HOT, 32 * KIB, bigcache, 0.7, nginx),
  rateAtLeast(WRITE_NEW.name, 32 * KIB, uncompressed, 8, fastapi),
  atMost(VOLUME, 32 * KIB, 'writtenPerByte', uncompressed, 1.1),
  atMost(VOLUME, 32 * KIB, 'stallMs', uncompressed, 100),
  atMost(CONNECTION_PER_REQUEST.name, KIB, 'cpuUsPerRequest', bigcache, 1.3, bare, 1.8),
  atMost(READ_WHILE_WRITING, 32 * KIB, 'p99Ms', SERVERS.writing, 3, SERVERS.idle),
];

function mediansIn(series: Series, server: string): RoundFigures | undefined {
  const rounds = series.servers.find((one) => one.server === server)?.rounds ?? [];
  return rounds.length === 0 ? undefined : mediansOf(rounds);
}

function measuredOf(target: Target, { series, stalls }: Measured): number | undefined {
  const { workload, bodyBytes, measure, of, against } = target;
  const isOfThisSize = (one: { readonly bodyBytes: number }): boolean =>
    bodyBytes === undefined || one.bodyBytes === bodyBytes;
  if (workload === VOLUME) {
    const stall = stalls.find((one) => one.server === of && isOfThisSize(one));
    return measure === 'stallMs' ? stall?.longestStallMs : stall?.writtenPerByte;
  }
  const found = series.find((one) => one.workload === workload && isOfThisSize(one));
  if (found === undefined || measure === 'stallMs') return undefined;
  const value = mediansIn(found, of)?.[measure];
  if (against === undefined || value === undefined) return value;
  const other = mediansIn(found, against)?.[measure];
  return other === undefined ? undefined : value / other;
}

export function judge(targets: readonly Target[], measured: Measured): Verdict[] {
  return targets.map((target) => ({ target, value: measuredOf(target, measured) }));
}

/** Whether the value keeps to the limit. */
export function isKept(verdict: Verdict): boolean | undefined {
  return isWithin(verdict, verdict.target.limit);
}

/**
 * Whether the value is not beyond the limit by more than `tolerance` times; where the limit is not kept
 * yet, beyond what it has come to.
 */
export function isKeptSoFar(verdict: Verdict, tolerance: number): boolean | undefined {
  const { limit, soFar, sense } = verdict.target;
  const bound = soFar ?? limit;
  return isWithin(verdict, sense === 'at most' ? bound * tolerance : bound / tolerance);
}

function isWithin({ target, value }: Verdict, bound: number): boolean | undefined {
  if (value === undefined) return undefined;
  return target.sense === 'at most' ? value <= bound : value >= bound;
}
