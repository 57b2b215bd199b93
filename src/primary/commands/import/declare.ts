/**
 * `bigcache import` as the command line knows it.
 */
import type { CommandSpec } from '../command-spec.ts';
import { runImport } from './command.ts';

export const IMPORT: CommandSpec = {
  name: 'import',
  description:
    'Imports the database of the Python original, which must be stopped and is never written to. ' +
    'An interrupted import goes on when it is run again.',
  usage: '--from <directory> [--db-path <directory>] [options]',
  sharedFlags: [
    'db-path',
    'max-size',
    'min-free',
    'segment-size',
    'durability',
    'max-body',
    'compression',
    'log-level',
  ],
  declare: (command) => {
    command.requiredOption('--from <directory>', 'directory of the original (its --db_path)');
  },
  run: ({ config, flags, out }) => runImport(String(flags['from']), config, out),
};
