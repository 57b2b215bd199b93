/**
 * `bigcache verify` as the command line knows it.
 */
import { type CommandSpec, DAMAGED } from '../command-spec.ts';
import { runVerify } from './command.ts';

export const VERIFY: CommandSpec = {
  name: 'verify',
  description:
    'Checks a store whose server is stopped: index, segments, and each against the other. Changes ' +
    `nothing. Exit code 0: sound; ${DAMAGED}: damaged; 1: could not be checked.`,
  usage: '[--db-path <directory>] [--fast] [--json]',
  sharedFlags: ['db-path'],
  declare: (command) => {
    command.option('--fast', 'leave the bodies of the entries out');
    command.option('--json', 'report as one JSON document');
  },
  run: ({ config, flags, out }) =>
    runVerify(config.dbPath, { fast: flags['fast'] === true, json: flags['json'] === true }, out),
};
