/**
 * The command line, generated from the schema of options: what is asked for, with which settings.
 * Every failure is one line on stderr, `bigcache: ...`, and an exit code: 2 for a command line that
 * cannot be understood, 1 for one that cannot be carried out here.
 */
import cluster from 'node:cluster';
import { Command, CommanderError } from 'commander';
import { type Config, OPTIONS } from '../protocol/config.ts';
import { PACKAGE_VERSION } from '../protocol/package-version.ts';
import { addOption, flagTexts } from './cli-options.ts';
import type { CommandSpec } from './commands/command-spec.ts';
import { COMMANDS } from './commands/commands.ts';
import { CannotRunError, UsageError } from './exit.ts';
import { showValue } from './option-values.ts';
import { type Resolved, refuseHalfTls, refuseUnprotected, resolveOptions } from './options.ts';
import { serve } from './serve.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line speaks to. */
export interface Surroundings {
  readonly env: Environment;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether this process was forked by a cluster: only pm2's cluster mode runs this file so. */
  readonly forked: boolean;
  /** Runs the server; resolves with the exit code. */
  readonly serve: (config: Config) => Promise<number>;
}

const PROCESS: Surroundings = {
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  forked: cluster.isWorker,
  serve,
};

/**
 * Carries out the command line `args` (without the names of the program) and resolves with the exit
 * code. What is no UsageError or CannotRunError is a bug and rejects.
 */
export async function cli(
  args: readonly string[],
  surroundings: Surroundings = PROCESS,
): Promise<number> {
  try {
    let exitCode = 0;
    const program = buildProgram(surroundings, (code) => {
      exitCode = code;
    });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Help and version end commander's parsing with an error of exit code 0.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = error instanceof CommanderError ? usageError(error) : error;
    if (!(failure instanceof UsageError || failure instanceof CannotRunError)) throw failure;
    surroundings.err(`bigcache: ${failure.message.replaceAll(/\s*\n\s*/g, ' ')}\n`);
    return failure.exitCode;
  }
}

const HELP_EXAMPLES = `
Examples:
  bigcache --workers 4 --db-path /var/lib/bigcache
  bigcache import --from /path/of/the/original
  bigcache backup --db-path /var/lib/bigcache --to /backup/monday
  bigcache restore --db-path /var/lib/bigcache --from /backup/monday --replace

Further commands, each with a --help: ${COMMANDS.map(({ name }) => name).join(', ')}.
While it runs, /docs describes its endpoints.`;

function buildProgram(surroundings: Surroundings, end: (exitCode: number) => void): Command {
  // The program takes no options of its own: all of them, --help too, reach the default command.
  const program = new Command('bigcache')
    .helpOption(false)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: surroundings.out, writeErr: () => {} });
  const command = program
    .command('serve', { isDefault: true })
    .description(
      'Runs the cache server. A flag beats its environment variable, which beats the default.',
    )
    .helpOption('-h, --help', 'print this help')
    .argument('[nothing...]')
    .configureHelp({
      helpWidth: 100,
      commandUsage: () => 'bigcache [serve] [options]',
      visibleArguments: () => [],
    });
  for (const option of OPTIONS) addOption(command, option);
  command
    .addHelpText('after', HELP_EXAMPLES)
    .option('--print-config', 'print every setting with its value and source, then exit')
    .version(PACKAGE_VERSION, '--version', 'print the version')
    .action(async ([extra]: string[], flags: Record<string, unknown>) => {
      if (extra === 'help') command.help();
      if (extra !== undefined) {
        throw new UsageError(`there is no command or argument "${extra}"; see bigcache --help`);
      }
      const resolved = resolveOptions(flagTexts(command), surroundings.env);
      end(await runServe(resolved, flags['printConfig'] === true, surroundings));
    });
  for (const spec of COMMANDS) addCommand(program, spec, surroundings, end);
  return program;
}

function addCommand(
  program: Command,
  spec: CommandSpec,
  surroundings: Surroundings,
  end: (exitCode: number) => void,
): void {
  const command = program
    .command(spec.name)
    .description(spec.description)
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ helpWidth: 100, commandUsage: () => `bigcache ${spec.name} ${spec.usage}` });
  spec.declare?.(command);
  for (const option of OPTIONS) {
    if (spec.sharedFlags.includes(option.flag)) addOption(command, option);
  }
  command.action(async (flags: Record<string, unknown>) => {
    const { config } = resolveOptions(flagTexts(command), surroundings.env);
    end(await spec.run({ config, flags, out: surroundings.out }));
  });
}

async function runServe(
  resolved: Resolved,
  printOnly: boolean,
  { out, forked, serve }: Surroundings,
): Promise<number> {
  if (printOnly) {
    out(configTable(resolved));
    return 0;
  }
  refuseHalfTls(resolved.config);
  refuseUnprotected(resolved.config);
  if (forked) {
    throw new CannotRunError(
      "pm2's cluster mode would run several owners of one store; " +
        'use exec_mode fork and 1 instance, BigCache forks its own workers (--workers)',
    );
  }
  return serve(resolved.config);
}

/** One line for each setting: flag, value, source; in columns. */
function configTable({ options }: Resolved): string {
  const rows = options.map(({ option, value, source }) => [
    option.flag,
    showValue(option, value),
    source,
  ]);
  const width = (column: number): number =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const [flagWidth, valueWidth] = [width(0), width(1)];
  return rows
    .map(
      ([flag = '', value = '', source = '']) =>
        `${flag.padEnd(flagWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`,
    )
    .join('');
}

function usageError(error: CommanderError): UsageError {
  const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  return new UsageError(`${message}; see bigcache --help`);
}
