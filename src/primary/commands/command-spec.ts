/**
 * What the command line must know of a command beside `serve`: its name and help, its own flags, the
 * options it shares with the server, and how it is run.
 */
import type { Command } from 'commander';
import type { Config } from '../../protocol/config.ts';

/** A command that was called. */
export interface CommandCall {
  /** The options of the schema; flags are taken only for those that the command shares. */
  readonly config: Config;
  /** The command's own flags, as commander names them. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Writes to stdout. */
  readonly out: (text: string) => void;
}

export interface CommandSpec {
  readonly name: string;
  readonly description: string;
  /** How it is called, after the name. */
  readonly usage: string;
  /** Flags of the schema that it shares with the server. */
  readonly sharedFlags: readonly string[];
  /** Declares the flags of its own. */
  readonly declare?: (command: Command) => void;
  /** Resolves with the exit code. Throws a CannotRunError or a UsageError when it cannot be done. */
  readonly run: (call: CommandCall) => Promise<number>;
}

/** Exit code of a command that was carried out and has found damage in the store. */
export const DAMAGED = 3;
