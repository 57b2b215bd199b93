/**
 * `npm run bench:eviction`: simulates what is evicted, beside other policies; prints
 * one table for each figure.
 */
import { Command, InvalidArgumentError } from 'commander';
import { type Column, renderTable } from '../table.ts';
import { POLICIES, type Result, simulate } from './policies.ts';
import { TRACE_NAMES } from './traces.ts';

const CAPACITY_SHARES = [0.01, 0.1, 0.25];

/** One table for each figure: a row for each trace and capacity, a column for each policy. */
const TABLES: readonly { readonly title: string; readonly cellOf: (one: Result) => string }[] = [
  { title: 'Hits, % of reads', cellOf: ({ hitRatio }) => percent(hitRatio) },
  { title: 'Hits, % of bytes read', cellOf: ({ byteHitRatio }) => percent(byteHitRatio) },
  { title: 'Cost saved, %', cellOf: ({ costHitRatio }) => percent(costHitRatio) },
  { title: 'Bytes copied for each byte written', cellOf: (one) => one.copiedRatio.toFixed(2) },
];

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 100_000_000) return value;
  throw new InvalidArgumentError('It takes a whole number from 1 to 100,000,000.');
}

const percent = (share: number | undefined): string =>
  share === undefined ? '' : (100 * share).toFixed(1);

function tableOf(results: readonly Result[], cellOf: (one: Result) => string): string {
  const columns: Column[] = [
    { title: 'trace', align: 'left' },
    { title: 'capacity', align: 'right' },
    ...Object.keys(POLICIES).map((title): Column => ({ title, align: 'right' })),
  ];
  const rows = new Map<string, string[]>();
  for (const result of results) {
    const { trace, capacityShare, policy } = result;
    const name = `${trace} ${capacityShare}`;
    const row = rows.get(name) ?? [trace, `${100 * capacityShare} %`];
    row[columns.findIndex(({ title }) => title === policy)] = cellOf(result);
    rows.set(name, row);
  }
  const isTold = (row: readonly string[]): boolean => row.slice(2).some((cell) => cell !== '');
  // A cell that was never filled is a hole, which `from` makes an empty one.
  const filled = [...rows.values()]
    .filter(isTold)
    .map((row) => Array.from(row, (cell) => cell ?? ''));
  return renderTable(columns, filled);
}

const options = new Command('bench:eviction')
  .description('Simulates eviction on generated traces.')
  .option('--seed <n>', 'seed of the traces', wholeNumber, 1)
  .option('--requests <n>', 'requests in each trace', wholeNumber, 1_000_000)
  .option('--entries <n>', 'entries that are asked for again and again', wholeNumber, 100_000)
  .parse()
  .opts<{ seed: number; requests: number; entries: number }>();

process.stdout.write(
  `seed ${options.seed}, ${options.requests} requests, ${options.entries} entries\n\n`,
);
const results = [...simulate(TRACE_NAMES, CAPACITY_SHARES, options)];
for (const { title, cellOf } of TABLES) {
  process.stdout.write(`${title}\n\n${tableOf(results, cellOf)}\n\n`);
}
