/** `npm run bench:eviction`: simulates what is evicted, beside other policies; prints a table. */
import { Command, InvalidArgumentError } from 'commander';
import { type Column, renderTable } from '../table.ts';
import { type Result, simulate } from './policies.ts';
import { TRACE_NAMES } from './traces.ts';

const CAPACITY_SHARES = [0.01, 0.1, 0.25];

const COLUMNS: readonly Column[] = [
  { title: 'trace', align: 'left' },
  { title: 'capacity', align: 'right' },
  { title: 'policy', align: 'left' },
  { title: 'hits %', align: 'right' },
  { title: 'bytes hit %', align: 'right' },
  { title: 'cost saved %', align: 'right' },
  { title: 'copied/written', align: 'right' },
];

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 100_000_000) return value;
  throw new InvalidArgumentError('It takes a whole number from 1 to 100,000,000.');
}

const percent = (share: number | undefined): string =>
  share === undefined ? '' : (100 * share).toFixed(1);

function rowOf(result: Result): string[] {
  return [
    result.trace,
    `${100 * result.capacityShare} %`,
    result.policy,
    percent(result.hitRatio),
    percent(result.byteHitRatio),
    percent(result.costHitRatio),
    result.copiedRatio.toFixed(3),
  ];
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
process.stdout.write(`${renderTable(COLUMNS, results.map(rowOf))}\n`);
