/**
 * The command line, generated from the schema of options: what is asked for, with which settings.
 * Every failure is one line on stderr, `bigcache: ...`, and an exit code: 2 for a command line that
 * cannot be understood, 1 for one that cannot be carried out here.
 */
import cluster from 'node:cluster';
import { Command, CommanderError, Option } from 'commander';
import { type Config, environmentName, OPTIONS, type OptionSpec } from '../protocol/config.ts';
import { PACKAGE_VERSION } from '../protocol/package-version.ts';
import { CannotRunError, UsageError } from './exit.ts';
import { accepted, showValue } from './option-values.ts';
import { type Resolved, refuseUnprotected, resolveOptions } from './options.ts';
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
    .option('--print-config', 'print every setting with its value and source, then exit')
    .version(PACKAGE_VERSION, '--version', 'print the version')
    .action(async ([extra]: string[], flags: Record<string, unknown>) => {
      if (extra !== undefined) {
        throw new UsageError(`there is no command or argument "${extra}"; see bigcache --help`);
      }
      const resolved = resolveOptions(flagTexts(command), surroundings.env);
      end(await runServe(resolved, flags['printConfig'] === true, surroundings));
    });
  return program;
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
  refuseUnprotected(resolved.config);
  if (forked) {
    throw new CannotRunError(
      "pm2's cluster mode would run several owners of one store; " +
        'use exec_mode fork and 1 instance, BigCache forks its own workers (--workers)',
    );
  }
  return serve(resolved.config);
}

/** Declares one option of the schema, and refuses it where it is given twice. */
function addOption(command: Command, option: OptionSpec): void {
  const spellings = option.alias === undefined ? [option.flag] : [option.alias, option.flag];
  const flags = spellings.map((spelling) => `--${spelling}`).join(', ');
  const argument = option.type === 'switch' ? '[on|off]' : `<${ARGUMENTS[option.type]}>`;
  command.addOption(new Option(`${flags} ${argument}`, describe(option)));
  let given = false;
  command.on(`option:${option.flag}`, () => {
    if (given) throw new UsageError(`--${option.flag} is given twice; give it once`);
    given = true;
  });
}

const ARGUMENTS: Readonly<Record<Exclude<OptionSpec['type'], 'switch'>, string>> = {
  text: 'text',
  integer: 'number',
  size: 'size',
  duration: 'time',
  choice: 'choice',
  list: 'list',
};

/** What `--help` says of an option: its text, then what it takes, its default and variables. */
function describe(option: OptionSpec): string {
  const fallback = option.defaultText ?? showValue(option, option.default);
  const variables = [environmentName(option), ...(option.envAliases ?? [])].join(' or ');
  return `${option.help}\n[${accepted(option)}; default: ${fallback}; env: ${variables}]`;
}

/** The texts that the command line gave, by flag; a switch given without one is on. */
function flagTexts(command: Command): Record<string, string | undefined> {
  const declared = new Map(command.options.map((option) => [option.name(), option]));
  return Object.fromEntries(
    OPTIONS.map(({ flag }) => {
      const text: unknown = command.getOptionValue(declared.get(flag)?.attributeName() ?? flag);
      return [flag, text === true ? 'on' : typeof text === 'string' ? text : undefined];
    }),
  );
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
