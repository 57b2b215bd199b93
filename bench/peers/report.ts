/** The results beside the peers as tables: what each server did, and what was promised. */
import { showBytes } from '../arguments.ts';
import { mediansOf } from '../medians.ts';
import type { Results } from '../results.ts';
import type { RoundFigures } from '../round.ts';
import type { Series, ServerRounds } from '../series.ts';
import type { Stall } from '../stalls.ts';
import { type Column, renderTable } from '../table.ts';
import { isKept, judge, TARGETS, type Target, type Verdict } from '../targets.ts';
import { VOLUME } from '../workloads.ts';

const text = (title: string): Column => ({ title, align: 'left' });
const figure = (title: string): Column => ({ title, align: 'right' });

const SERVER_COLUMNS: readonly Column[] = [
  text('workload'),
  text('body'),
  text('server'),
  figure('requests/s'),
  figure('of ours'),
  figure('CPU us/request'),
  figure('of ours'),
  figure('p50 ms'),
  figure('p99 ms'),
  figure('written/byte'),
  figure('load CPU'),
  figure('rounds'),
];

const VOLUME_COLUMNS: readonly Column[] = [
  text('body'),
  text('server'),
  figure('MiB'),
  figure('seconds'),
  figure('MiB/s'),
  figure('written/byte'),
  figure('longest stall ms'),
  figure('slowest request ms'),
  figure("load process's longest pause ms"),
];

const TARGET_COLUMNS: readonly Column[] = [
  text('workload'),
  text('body'),
  text('figure'),
  text('promised'),
  figure('measured'),
  text(''),
];

const MEASURES: Readonly<Record<Target['measure'], string>> = {
  cpuUsPerRequest: 'CPU per request',
  requestsPerSecond: 'requests per second',
  p99Ms: 'p99',
  writtenPerByte: 'bytes written per byte',
  stallMs: 'longest stall, ms',
};

const NONE = '-';
const MIB = 1024 ** 2;

function serverRow(series: Series, of: ServerRounds, ours: RoundFigures | undefined): string[] {
  const { workload, bodyBytes } = series;
  const name = [workload, showBytes(bodyBytes), of.server];
  const rounds =
    of.thrownAway === 0 ? `${of.rounds.length}` : `${of.rounds.length} (${of.thrownAway} thrown)`;
  if (of.rounds.length === 0) return [...name, ...Array(8).fill(NONE), rounds];
  const medians = mediansOf(of.rounds);
  const part = (read: (figures: RoundFigures) => number): string =>
    ours === undefined ? NONE : (read(medians) / read(ours)).toFixed(2);
  // The seconds that the load process computed in each second.
  const loadCpu = (medians.loadCpuUsPerRequest * medians.requestsPerSecond) / 1e6;
  return [
    ...name,
    medians.requestsPerSecond.toFixed(0),
    part((figures) => figures.requestsPerSecond),
    medians.cpuUsPerRequest.toFixed(1),
    part((figures) => figures.cpuUsPerRequest),
    medians.p50Ms.toFixed(2),
    medians.p99Ms.toFixed(2),
    medians.writtenPerByte === 0 ? NONE : medians.writtenPerByte.toFixed(3),
    `${(100 * loadCpu).toFixed(0)}%`,
    rounds,
  ];
}

/** The first server of each series is ours, of which the others do a part. */
export function serversTable(all: readonly Series[]): string {
  const rows = all.flatMap((series) => {
    const ours = series.servers[0]?.rounds ?? [];
    const medians = ours.length === 0 ? undefined : mediansOf(ours);
    return series.servers.map((server) => serverRow(series, server, medians));
  });
  return renderTable(SERVER_COLUMNS, rows);
}

function volumeTable(stalls: readonly Stall[]): string {
  const rows = stalls.map((stall) => {
    const mebibytes = (stall.requests * stall.bodyBytes) / MIB;
    return [
      showBytes(stall.bodyBytes),
      stall.server,
      mebibytes.toFixed(0),
      stall.seconds.toFixed(1),
      (mebibytes / stall.seconds).toFixed(1),
      stall.writtenPerByte.toFixed(3),
      stall.longestStallMs.toFixed(0),
      stall.slowestRequestMs.toFixed(0),
      stall.loadPauseMs.toFixed(0),
    ];
  });
  return renderTable(VOLUME_COLUMNS, rows);
}

function targetRow(verdict: Verdict): string[] {
  const { target, value } = verdict;
  const { workload, bodyBytes, measure, of, against, sense, limit } = target;
  const isReached = isKept(verdict);
  return [
    workload,
    bodyBytes === undefined ? 'real HTML' : showBytes(bodyBytes),
    `${MEASURES[measure]}, ${of}${against === undefined ? '' : ` / ${against}`}`,
    `${sense} ${limit}`,
    value === undefined ? NONE : value.toFixed(measure === 'stallMs' ? 0 : 2),
    isReached === undefined ? 'not measured' : isReached ? 'reached' : '**missed**',
  ];
}

export function targetsTable(verdicts: readonly Verdict[]): string {
  return renderTable(TARGET_COLUMNS, verdicts.map(targetRow));
}

function notes(series: readonly Series[]): string[] {
  return series.flatMap(({ workload, note }) =>
    note === undefined ? [] : [`${workload}: ${note}.`],
  );
}

/** All tables, with what must be known of the run. */
export function markdownOf(results: Results): string {
  const { machine, workers, connections, rounds, seconds, series, stalls } = results;
  const several =
    results.isOfSeveralRuns === true
      ? ' That is of the last of several runs; a part of the rows comes from those before it.'
      : '';
  const parts = [
    `${results.date}, Node ${machine.node}, ${machine.processors}, ${machine.filesystem}, load average ` +
      `${machine.loadAverage.toFixed(1)} at the start; ${workers} workers, ${connections} connections, ` +
      `medians of ${rounds} rounds of ${seconds} s.${several}`,
    targetsTable(judge(TARGETS, results)),
    serversTable(series),
    ...notes(series),
  ];
  if (stalls.length > 0) parts.push(`\`${VOLUME}\`:`, volumeTable(stalls));
  return parts.join('\n\n');
}
