/**
 * `bigcache compact` as the command line knows it.
 */
import type { CommandSpec } from '../command-spec.ts';
import { runCompact } from './command.ts';

export const COMPACT: CommandSpec = {
  name: 'compact',
  description:
    'Compacts the index of a stopped store, so that it takes less space and is read faster. It ' +
    'takes room on the disk for a part of the index while it runs.',
  usage: '[--db-path <directory>]',
  sharedFlags: ['db-path'],
  run: ({ config, out }) => runCompact(config.dbPath, out),
};
