/**
 * `bigcache backup` as the command line knows it.
 */
import type { CommandSpec } from '../command-spec.ts';
import { parseRate, RATE_DEFAULT, RATE_HELP } from '../rate.ts';
import { runBackup } from './command.ts';

export const BACKUP: CommandSpec = {
  name: 'backup',
  description:
    'Makes a copy of the store as it is at one moment, while its server runs or is stopped. The ' +
    'copy is a store itself.',
  usage: '--to <directory> [--rate <size>] [--db-path <directory>] [options]',
  sharedFlags: ['db-path', 'log-level'],
  declare: (command) => {
    command
      .requiredOption('--to <directory>', 'where the backup goes; missing or empty')
      .option('--rate <size>', RATE_HELP, RATE_DEFAULT);
  },
  run: ({ config, flags, out }) =>
    runBackup(String(flags['to']), parseRate(String(flags['rate'])), config, out),
};
