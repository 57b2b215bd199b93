/** `npm run bench`: runs the workloads that were asked for and prints what they measured. */
import { writeFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { type BenchOptions, parseArguments, showBytes } from './arguments.ts';
import { describeMachine, type Machine } from './machine.ts';
import { BARE } from './peers/bare.ts';
import { BIGCACHE } from './peers/bigcache.ts';
import { seriesTable, stallTable } from './report.ts';
import { runSeries, type Series } from './series.ts';
import { runStalls, type Stall } from './stalls.ts';

const PEERS = [BIGCACHE, BARE];

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function printSetting(options: BenchOptions, machine: Machine): void {
  const { workers, connections, rounds, seconds, directory } = options;
  print(`Node ${machine.node}, ${machine.processors}, shared with the load process;`);
  print(
    `load average ${machine.loadAverage.toFixed(2)}; stores on ${machine.filesystem} below ${directory}`,
  );
  print(
    'GET and POST /pickle/{key} with raw, incompressible bodies; bare: fastify that answers from memory',
  );
  print(
    `${workers} workers, ${connections} connections; medians of ${rounds} rounds of ${seconds} s`,
  );
  print('');
}

async function bench(options: BenchOptions): Promise<void> {
  const machine = describeMachine(options.directory);
  printSetting(options, machine);
  const series: Series[] = [];
  const stalls: Stall[] = [];
  for (const workload of options.workloads) {
    for (const bodyBytes of options.bodyBytes) {
      process.stderr.write(`${workload.name}, ${showBytes(bodyBytes)} ...\n`);
      const setup = { ...options, workload, bodyBytes, pages: [] };
      series.push(await runSeries(options, setup, PEERS));
      if (workload.name === 'write-new' && options.writeBytes > 0) {
        const volume = { bytes: options.writeBytes, secondsMax: undefined };
        stalls.push(...(await runStalls(options, setup, PEERS, volume)));
      }
    }
  }
  print(seriesTable(series));
  if (stalls.length > 0) {
    print(`\nwrite-new, ${showBytes(options.writeBytes)} at once:\n`);
    print(stallTable(stalls));
  }
  if (options.jsonFile !== undefined) {
    writeFileSync(
      options.jsonFile,
      `${JSON.stringify({ machine, options, series, stalls }, null, 2)}\n`,
    );
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
try {
  await bench(parseArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode;
}
