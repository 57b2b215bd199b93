/** The command line of the benchmark. */
import { Command, InvalidArgumentError } from 'commander';
import { WORKLOADS, type Workload } from './workloads.ts';

export interface BenchOptions {
  readonly workers: number;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly workloads: readonly Workload[];
  readonly bodyBytes: readonly number[];
  /** What the stall run of `write-new` writes; 0 leaves it out. */
  readonly writeBytes: number;
  readonly directory: string;
  readonly port: number;
  readonly jsonFile: string | undefined;
  readonly profileDirectory: string | undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KIB: 1024,
  MIB: 1024 ** 2,
  GIB: 1024 ** 3,
};
const BODY_BYTES_MAX = 1024 ** 2;

/** Bytes from `32KiB`, `1.5GiB` or `4096`. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([KMG]iB|B)?$/i.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('It takes a size such as 32KiB or 2GiB.');
  return Math.round(Number(match[1]) * (UNITS[(match[2] ?? 'B').toUpperCase()] ?? 1));
}

/** The shortest exact form of a size. */
export function showBytes(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((name) => bytes % (UNITS[name.toUpperCase()] ?? 1) === 0);
  if (bytes === 0 || unit === undefined) return `${bytes} B`;
  return `${bytes / (UNITS[unit.toUpperCase()] ?? 1)} ${unit}`;
}

/** Sizes of bodies, separated by commas. */
export function parseSizes(text: string): number[] {
  const sizes = text.split(',').map(parseBytes);
  if (sizes.some((bytes) => bytes < 1 || bytes > BODY_BYTES_MAX)) {
    throw new InvalidArgumentError('A body has from 1 byte to 1MiB.');
  }
  return sizes;
}

function parseWorkloads(text: string): Workload[] {
  return text.split(',').map((name) => {
    const workload = WORKLOADS.find((one) => one.name === name.trim());
    if (workload !== undefined) return workload;
    const known = WORKLOADS.map((one) => one.name).join(', ');
    throw new InvalidArgumentError(`The workloads are ${known}.`);
  });
}

/** Reads a whole number. */
export function within(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
  };
}

/** A length of time. */
export function parseSeconds(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= 0.1 && value <= 3600) return value;
  throw new InvalidArgumentError('It takes a number from 0.1 to 3600.');
}

/**
 * Reads the arguments, without the two that name the program. Throws a CommanderError for what cannot
 * be read, and after `--help`.
 */
export function parseArguments(
  args: readonly string[],
  writeError: (text: string) => void = (text) => process.stderr.write(text),
): BenchOptions {
  const command = new Command('bench')
    .description('Measures the built server beside a bare fastify that answers from memory.')
    .option('--workers <n>', 'worker processes of each server', within(1, 64), 2)
    .option('--connections <n>', 'concurrent connections', within(1, 10_000), 64)
    .option('--rounds <n>', 'rounds of each server, of which the median counts', within(1, 100), 5)
    .option('--seconds <s>', 'length of a round', parseSeconds, 4)
    .option('--only <names>', 'workloads, separated by commas', parseWorkloads, WORKLOADS)
    .option('--sizes <sizes>', 'bodies, separated by commas', parseSizes, parseSizes('1KiB,32KiB'))
    .option('--write-bytes <size>', 'volume of the stall run; 0: none', parseBytes, 2 * 1024 ** 3)
    .option('--directory <path>', 'where the stores are made; not on tmpfs', '/var/tmp')
    .option(
      '--port <n>',
      "the server's port, the next is bare's; 0: free ones",
      within(0, 65534),
      0,
    )
    .option('--json <file>', 'write the results there as JSON, too')
    .option('--profile <directory>', 'write CPU profiles of the server there; slows it down')
    .exitOverride()
    .configureOutput({ writeErr: writeError })
    .parse([...args], { from: 'user' });
  const given = command.opts();
  return {
    workers: given['workers'],
    connections: given['connections'],
    rounds: given['rounds'],
    seconds: given['seconds'],
    workloads: given['only'],
    bodyBytes: given['sizes'],
    writeBytes: given['writeBytes'],
    directory: given['directory'],
    port: given['port'],
    jsonFile: given['json'],
    profileDirectory: given['profile'],
  };
}
