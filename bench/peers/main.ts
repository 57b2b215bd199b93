/** `npm run bench:peers`: measures ours beside every peer that is installed, and says what is missing. */
import { writeFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { describeMachine } from '../machine.ts';
import { type Measured, type Results, readResults, together, writeResults } from '../results.ts';
import { availableOf } from './available.ts';
import { renderChart } from './chart.ts';
import { writeDocs } from './docs.ts';
import { measure } from './measure.ts';
import { type PeersOptions, parsePeersOptions } from './options.ts';
import { markdownOf } from './report.ts';
import { PEERS } from './scenarios.ts';

async function resultsOf(options: PeersOptions): Promise<Results | undefined> {
  const available = availableOf(PEERS, options.scenarios);
  for (const line of available.missing) process.stderr.write(`${line}\n`);
  if (options.requiresAll && available.missing.length > 0) return undefined;
  const kept = options.keepFile === undefined ? undefined : readResults(options.keepFile);
  // Nothing to measure: what was kept is written again as it is.
  if (kept !== undefined && available.scenarios.length === 0) return kept;
  const { workers, connections, rounds, seconds, directory, volume, jsonFile } = options;
  const machine = describeMachine(directory);
  const date = new Date().toISOString().slice(0, 'yyyy-mm-dd'.length);
  const resultsWith = (measured: Measured): Results => {
    const setting = { date, machine, workers, connections, rounds, seconds };
    if (kept === undefined) return { ...setting, ...measured };
    return { ...setting, ...together(kept, measured), isOfSeveralRuns: true };
  };
  // Written as it grows: a run takes long, and may be ended.
  const save = (measured: Measured): void => {
    if (jsonFile !== undefined) writeResults(jsonFile, resultsWith(measured));
  };
  return resultsWith(await measure(available, options, volume, save));
}

async function main(options: PeersOptions): Promise<void> {
  const results = await resultsOf(options);
  if (results === undefined) {
    process.exitCode = 1;
    return;
  }
  if (options.jsonFile !== undefined) writeResults(options.jsonFile, results);
  const markdown = `${markdownOf(results)}\n`;
  if (options.markdownFile === undefined) process.stdout.write(markdown);
  else writeFileSync(options.markdownFile, markdown);
  if (options.chartFile !== undefined) writeFileSync(options.chartFile, renderChart(results));
  if (options.writesDocs) writeDocs(results);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
try {
  await main(parsePeersOptions(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode;
}
