/** The results as tables: medians of the rounds, and ours divided by bare. */
import { showBytes } from './arguments.ts';
import { mediansOf } from './medians.ts';
import type { RoundFigures } from './round.ts';
import type { Series, ServerRounds } from './series.ts';
import type { Stall } from './stalls.ts';
import { type Column, renderTable } from './table.ts';

const text = (title: string): Column => ({ title, align: 'left' });
const figure = (title: string): Column => ({ title, align: 'right' });

const SERIES_COLUMNS: readonly Column[] = [
  text('workload'),
  text('body'),
  text('server'),
  figure('requests/s'),
  figure('p50 ms'),
  figure('p99 ms'),
  figure('max ms'),
  figure('CPU us/request'),
  figure('RssAnon MiB'),
  figure('written/byte'),
  figure('read/byte'),
  figure('connections'),
  figure('rounds'),
];

const STALL_COLUMNS: readonly Column[] = [
  text('body'),
  text('server'),
  figure('requests'),
  figure('seconds'),
  figure('written/byte'),
  figure('longest stall ms'),
  figure('slowest request ms'),
  figure("load process's longest pause ms"),
];

/** What a cell holds where there is nothing to compare. */
const NONE = '-';

const percent = (shares: readonly number[]): string => {
  const sum = shares.reduce((total, share) => total + share, 0);
  if (sum === 0) return NONE;
  return shares.map((share) => `${((100 * share) / sum).toFixed(0)}%`).join(' ');
};

const mebibytes = (bytes: readonly number[]): string =>
  bytes.map((one) => (one / 1024 ** 2).toFixed(0)).join(' + ');

function serverRow({ workload, bodyBytes }: Series, of: ServerRounds): string[] {
  const name = [workload, showBytes(bodyBytes), of.server];
  const rounds = `${of.rounds.length} (${of.thrownAway} thrown)`;
  if (of.rounds.length === 0) return [...name, ...Array(9).fill(NONE), rounds];
  const medians = mediansOf(of.rounds);
  return [
    ...name,
    medians.requestsPerSecond.toFixed(0),
    medians.p50Ms.toFixed(2),
    medians.p99Ms.toFixed(2),
    medians.maxMs.toFixed(2),
    medians.cpuUsPerRequest.toFixed(1),
    mebibytes(medians.anonymousBytes),
    medians.writtenPerByte.toFixed(3),
    medians.readPerByte.toFixed(3),
    percent(medians.shares),
    rounds,
  ];
}

function ratioRow({ workload, bodyBytes, servers }: Series): string[] {
  const name = [workload, showBytes(bodyBytes), 'ratio'];
  const [ours, bare] = servers.map(({ rounds }) => rounds);
  if (!ours?.length || !bare?.length) return [...name, ...Array(10).fill(NONE)];
  const [above, below] = [mediansOf(ours), mediansOf(bare)];
  const ratio = (read: (medians: RoundFigures) => number): string =>
    (read(above) / read(below)).toFixed(2);
  return [
    ...name,
    ratio((medians) => medians.requestsPerSecond),
    ratio((medians) => medians.p50Ms),
    ratio((medians) => medians.p99Ms),
    ratio((medians) => medians.maxMs),
    ratio((medians) => medians.cpuUsPerRequest),
    ratio(({ anonymousBytes }) => anonymousBytes.reduce((sum, bytes) => sum + bytes, 0)),
    ...Array(4).fill(NONE),
  ];
}

/** One row for each server and one for their ratio, for each workload and size. */
export function seriesTable(all: readonly Series[]): string {
  const rows = all.flatMap((series) => [
    ...series.servers.map((server) => serverRow(series, server)),
    ratioRow(series),
  ]);
  return renderTable(SERIES_COLUMNS, rows);
}

export function stallTable(stalls: readonly Stall[]): string {
  const rows = stalls.map((stall) => [
    showBytes(stall.bodyBytes),
    stall.server,
    String(stall.requests),
    stall.seconds.toFixed(1),
    stall.writtenPerByte.toFixed(3),
    stall.longestStallMs.toFixed(0),
    stall.slowestRequestMs.toFixed(0),
    stall.loadPauseMs.toFixed(0),
  ]);
  return renderTable(STALL_COLUMNS, rows);
}
