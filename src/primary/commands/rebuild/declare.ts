/**
 * `bigcache rebuild` as the command line knows it.
 */
import type { CommandSpec } from '../command-spec.ts';
import { runRebuild } from './command.ts';

export const REBUILD: CommandSpec = {
  name: 'rebuild',
  description:
    'Makes the index of a stopped store anew from its segments, where it is lost or damaged. The ' +
    'old one is moved to quarantine/.',
  usage: '[--db-path <directory>] [--trust | --force]',
  sharedFlags: ['db-path'],
  declare: (command) => {
    command.option(
      '--trust',
      'bring entries back as valid; without it they come back stale, since some of them may have ' +
        'been deleted or purged',
    );
    command.option(
      '--force',
      'make the index anew although it is sound; all entries are stale then',
    );
  },
  run: ({ config, flags, out }) => {
    const [isTrusted, isForced] = [flags['trust'] === true, flags['force'] === true];
    return runRebuild(config.dbPath, { isTrusted, isForced }, out);
  },
};
