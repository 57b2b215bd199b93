/**
 * The commands of the command line beside `serve`, in the order in which `--help` may list them.
 */
import { BACKUP } from './backup/declare.ts';
import type { CommandSpec } from './command-spec.ts';
import { COMPACT } from './compact/declare.ts';
import { IMPORT } from './import/declare.ts';
import { REBUILD } from './rebuild/declare.ts';
import { RESTORE } from './restore/declare.ts';
import { TOKEN } from './token/declare.ts';
import { VERIFY } from './verify/declare.ts';

export const COMMANDS: readonly CommandSpec[] = [
  IMPORT,
  BACKUP,
  RESTORE,
  VERIFY,
  REBUILD,
  COMPACT,
  TOKEN,
];
