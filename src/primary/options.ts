/**
 * Makes a Config from what was given: a flag beats its `BIGCACHE_` variable, which beats the further
 * variables of the option, which beat the default. An empty variable counts as unset. Remembers for
 * each value where it came from.
 */
import { isIP } from 'node:net';
import {
  type Config,
  environmentName,
  OPTIONS,
  type OptionSpec,
  segmentBytesFor,
} from '../protocol/config.ts';
import { CannotRunError, UsageError } from './exit.ts';
import { accepted, type OptionValue, parseValue } from './option-values.ts';

/** Where a value came from: the flag, the name of a variable, or the default. */
export type OptionSource = 'flag' | 'default' | (string & {});

export interface ResolvedOption {
  readonly option: OptionSpec;
  readonly value: OptionValue;
  readonly source: OptionSource;
}

export interface Resolved {
  readonly config: Config;
  /** One for each option, in the order of the schema. */
  readonly options: readonly ResolvedOption[];
}

/**
 * Resolves every option. `flags` holds the texts given on the command line, by flag. Throws a
 * UsageError that names the flag or the variable whose value cannot be taken.
 */
export function resolveOptions(
  flags: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): Resolved {
  const given = OPTIONS.map((option) => resolveOption(option, flags[option.flag], env));
  const options = withSegmentBytes(given);
  // The schema and Config name the same members, and parseValue returns what the type of each says.
  const config = Object.fromEntries(options.map(({ option, value }) => [option.name, value]));
  return { config: config as unknown as Config, options };
}

/** Where no size of segments was asked for, it follows from the limit of the store. */
function withSegmentBytes(options: readonly ResolvedOption[]): ResolvedOption[] {
  const numberOf = (name: keyof Config): number =>
    Number(options.find(({ option }) => option.name === name)?.value);
  return options.map((one) =>
    one.option.name !== 'segmentBytes' || one.value !== 0
      ? one
      : { ...one, value: segmentBytesFor(numberOf('storeBytesMax'), numberOf('workers')) },
  );
}

function resolveOption(
  option: OptionSpec,
  flagText: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ResolvedOption {
  if (flagText !== undefined) {
    return { option, value: take(option, flagText, `--${option.flag}`), source: 'flag' };
  }
  for (const name of [environmentName(option), ...(option.envAliases ?? [])]) {
    const text = env[name];
    if (text === undefined || text === '') continue;
    return { option, value: take(option, text, name), source: name };
  }
  return { option, value: option.default, source: 'default' };
}

function take(option: OptionSpec, text: string, name: string): OptionValue {
  const value = parseValue(option, text);
  if (value !== undefined) return value;
  const given = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
  // Kubernetes sets BIGCACHE_PORT=tcp://... in every pod beside a service named bigcache.
  const hint = /^tcp:\/\//.test(text)
    ? ' (a Kubernetes service link? set enableServiceLinks: false)'
    : '';
  throw new UsageError(`${name} takes ${accepted(option)}, not ${given}${hint}`);
}

/** Throws a UsageError where one of the two files of TLS is missing. */
export function refuseHalfTls({ tlsCertPath, tlsKeyPath }: Config): void {
  if ((tlsCertPath === '') === (tlsKeyPath === '')) return;
  const [given, missing] = tlsCertPath === '' ? ['key', 'cert'] : ['cert', 'key'];
  throw new UsageError(`--tls-${given} needs --tls-${missing} beside it; give both or neither`);
}

/**
 * Throws a CannotRunError when the server would listen beyond loopback with no tokens and without
 * having been allowed to: then anybody who reaches the port may read and write.
 */
export function refuseUnprotected(config: Config): void {
  const { tokenFilePath, allowUnprotected, host } = config;
  if (tokenFilePath !== '' || allowUnprotected || isLoopback(host)) return;
  throw new CannotRunError(
    `--host ${host} is reachable from other machines and nothing protects the cache there; ` +
      'listen on 127.0.0.1, pass --token-file, or pass --allow-unprotected',
  );
}

/** Whether only this machine reaches `host`. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}
