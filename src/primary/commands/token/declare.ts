/**
 * `bigcache token` as the command line knows it.
 */
import { SCOPES } from '../../../protocol/access.ts';
import type { CommandSpec } from '../command-spec.ts';
import { runToken } from './command.ts';

export const TOKEN: CommandSpec = {
  name: 'token',
  description:
    'Makes a token for --token-file: prints it, this once, and the entry to put into the file, which ' +
    'holds its SHA-256 alone.',
  usage: '--name <name> --scopes <list> [--key-prefix <prefix>]',
  sharedFlags: [],
  declare: (command) => {
    command
      .requiredOption('--name <name>', 'whose token it is; shown in logs')
      .requiredOption('--scopes <list>', `one or more of ${SCOPES.join(', ')}, separated by commas`)
      .option('--key-prefix <prefix>', 'the token reaches only keys that begin so');
  },
  run: ({ flags, out }) => runToken(flags, out),
};
