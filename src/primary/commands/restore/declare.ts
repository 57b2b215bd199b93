/**
 * `bigcache restore` as the command line knows it.
 */
import type { CommandSpec } from '../command-spec.ts';
import { parseRate, RATE_DEFAULT, RATE_HELP } from '../rate.ts';
import { runRestore } from './command.ts';

export const RESTORE: CommandSpec = {
  name: 'restore',
  description: 'Brings a backup back, while the server of the directory runs or is stopped.',
  usage: '--from <directory> [--replace] [--rate <size>] [--db-path <directory>]',
  sharedFlags: ['db-path'],
  declare: (command) => {
    command
      .requiredOption('--from <directory>', 'the backup; it is not changed')
      .option('--replace', 'move a store that is there to its quarantine/ and take its place')
      .option('--rate <size>', RATE_HELP, RATE_DEFAULT);
  },
  run: ({ config, flags, out }) => {
    const options = {
      from: String(flags['from']),
      bytesPerSecond: parseRate(String(flags['rate'])),
      replace: flags['replace'] === true,
    };
    return runRestore(options, config, out);
  },
};
