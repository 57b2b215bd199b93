/** The command line of the benchmark beside the peers. */
import { Command, InvalidArgumentError } from 'commander';
import { parseBytes, parseSeconds, parseSizes, within } from '../arguments.ts';
import type { Setting } from '../servers.ts';
import type { Volume } from '../stalls.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

export interface PeersOptions extends Setting {
  readonly scenarios: readonly Scenario[];
  readonly volume: Volume;
  /** Ends with an error where anything is missing. */
  readonly requiresAll: boolean;
  readonly keepFile: string | undefined;
  readonly jsonFile: string | undefined;
  readonly markdownFile: string | undefined;
  readonly chartFile: string | undefined;
  readonly writesDocs: boolean;
}

const NAMES = [...new Set(SCENARIOS.map(({ name }) => name))];

function parseScenarios(list: string): Scenario[] {
  const names = list === '' ? [] : list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !NAMES.includes(name));
  if (unknown === undefined) return SCENARIOS.filter(({ name }) => names.includes(name));
  throw new InvalidArgumentError(`There is no ${unknown}; there are ${NAMES.join(', ')}.`);
}

function parseRequire(text: string): boolean {
  if (text === 'all' || text === 'none') return text === 'all';
  throw new InvalidArgumentError('It takes all or none.');
}

/**
 * Reads the arguments, without the two that name the program. Throws a CommanderError for what cannot
 * be read, and after `--help`.
 */
export function parsePeersOptions(
  args: readonly string[],
  writeError: (text: string) => void = (text) => process.stderr.write(text),
): PeersOptions {
  const given = new Command('bench:peers')
    .description('Measures the built server beside others that do the same work, in one run.')
    .option('--workers <n>', 'worker processes of each server', within(1, 64), 2)
    .option('--connections <n>', 'concurrent connections', within(1, 10_000), 64)
    .option('--rounds <n>', 'rounds of each server, of which the median counts', within(1, 100), 5)
    .option('--seconds <s>', 'length of a round', parseSeconds, 3)
    .option('--only <names>', `of ${NAMES.join(', ')}; '': none`, parseScenarios, SCENARIOS)
    .option('--sizes <sizes>', 'only bodies of these, separated by commas', parseSizes)
    .option('--write-bytes <size>', 'volume that is written at once', parseBytes, 4 * 1024 ** 3)
    .option('--write-seconds <s>', 'no server writes it longer than this', parseSeconds, 120)
    .option('--directory <path>', 'where the stores are made; not on tmpfs', '/var/tmp')
    .option('--require <which>', 'all: fail where a peer is missing', parseRequire, false)
    .option('--keep <file>', 'results as JSON, for what this run does not measure')
    .option('--json <file>', 'write the results there as JSON')
    .option('--markdown <file>', 'write the tables there, and not to the standard output')
    .option('--chart <file>', 'write the chart there as SVG')
    .option('--write-docs', 'put tables and chart into docs/benchmarks.md', false)
    .exitOverride()
    .configureOutput({ writeErr: writeError })
    .parse([...args], { from: 'user' })
    .opts();
  const sizes: readonly number[] | undefined = given['sizes'];
  const named: readonly Scenario[] = given['only'];
  return {
    workers: given['workers'],
    connections: given['connections'],
    rounds: given['rounds'],
    seconds: given['seconds'],
    scenarios: named.filter(({ bodyBytes }) => sizes?.includes(bodyBytes) ?? true),
    volume: { bytes: given['writeBytes'], secondsMax: given['writeSeconds'] },
    directory: given['directory'],
    port: 0,
    profileDirectory: undefined,
    requiresAll: given['require'],
    keepFile: given['keep'],
    jsonFile: given['json'],
    markdownFile: given['markdown'],
    chartFile: given['chart'],
    writesDocs: given['writeDocs'],
  };
}
