/**
 * The options of the schema as a command of the command line declares and reads them.
 */
import { type Command, Option } from 'commander';
import { environmentName, OPTIONS, type OptionSpec } from '../protocol/config.ts';
import { UsageError } from './exit.ts';
import { accepted, showValue } from './option-values.ts';

/** Declares one option of the schema, and refuses it where it is given twice. */
export function addOption(command: Command, option: OptionSpec): void {
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
export function flagTexts(command: Command): Record<string, string | undefined> {
  const declared = new Map(command.options.map((option) => [option.name(), option]));
  return Object.fromEntries(
    OPTIONS.map(({ flag }) => {
      const text: unknown = command.getOptionValue(declared.get(flag)?.attributeName() ?? flag);
      return [flag, text === true ? 'on' : typeof text === 'string' ? text : undefined];
    }),
  );
}
