/**
 * The one schema of options: name, default, bounds, unit, help text. The command line, the environment
 * variables, validation, `--help`, `--print-config` and docs/configuration.md are made from it.
 */
import { availableParallelism } from 'node:os';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** The settings of a running server. Sizes are bytes, times milliseconds. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dbPath: string;
  readonly workers: number;
  readonly segmentBytes: number;
  readonly bodyBytesMax: number;
  readonly jsonBytesMax: number;
  readonly allowUnprotected: boolean;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly getAdmin: boolean;
  readonly bodyCsp: string;
  readonly drainTimeoutMs: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

interface OptionBase<T> {
  readonly name: keyof Config;
  /** The long flag without dashes; the environment variable is `BIGCACHE_<FLAG>`. */
  readonly flag: string;
  /** Further spellings of the flag. */
  readonly aliases?: readonly string[];
  /** Further environment variables, weaker than `BIGCACHE_<FLAG>`. */
  readonly envAliases?: readonly string[];
  readonly default: T;
  readonly help: string;
}

interface TextOption extends OptionBase<string> {
  readonly type: 'text';
}
interface IntegerOption extends OptionBase<number> {
  readonly type: 'integer';
  readonly min: number;
  readonly max: number;
}
/** Bytes; a unit may follow the number: KB, MB, GB, TB are powers of 1000, KiB to TiB of 1024. */
interface SizeOption extends OptionBase<number> {
  readonly type: 'size';
  readonly min: number;
  readonly max: number;
}
/** Milliseconds; given as a number of seconds or with a unit: ms, s, m. */
interface DurationOption extends OptionBase<number> {
  readonly type: 'duration';
  readonly min: number;
  readonly max: number;
}
interface ChoiceOption extends OptionBase<string> {
  readonly type: 'choice';
  readonly choices: readonly string[];
}
interface SwitchOption extends OptionBase<boolean> {
  /** `on` or `off`; without a value, `on`. */
  readonly type: 'switch';
}
interface ListOption extends OptionBase<readonly string[]> {
  /** Separated by commas. */
  readonly type: 'list';
}

export type OptionSpec =
  | TextOption
  | IntegerOption
  | SizeOption
  | DurationOption
  | ChoiceOption
  | SwitchOption
  | ListOption;

export const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'port',
    flag: 'port',
    type: 'integer',
    default: 36379,
    min: 0,
    max: 65535,
    help: 'TCP port to listen on; 0 lets the system choose one',
  },
  {
    name: 'host',
    flag: 'host',
    type: 'text',
    default: '127.0.0.1',
    help: 'address to listen on; beyond loopback needs --allow-unprotected',
  },
  {
    name: 'dbPath',
    flag: 'db-path',
    aliases: ['db_path'],
    envAliases: ['DB_PATH'],
    type: 'text',
    default: './data',
    help: 'directory that holds the store; made if it is missing',
  },
  {
    name: 'workers',
    flag: 'workers',
    type: 'integer',
    default: Math.min(availableParallelism(), 128),
    min: 1,
    max: 128,
    help: 'HTTP worker processes',
  },
  {
    name: 'segmentBytes',
    flag: 'segment-size',
    type: 'size',
    default: 256 * MiB,
    min: 4 * MiB,
    max: 256 * MiB,
    help: 'size at which a segment file is sealed and the next one begun',
  },
  {
    name: 'bodyBytesMax',
    flag: 'max-body',
    type: 'size',
    default: GiB,
    min: KiB,
    max: 64 * GiB,
    help: 'largest raw body',
  },
  {
    name: 'jsonBytesMax',
    flag: 'max-json',
    type: 'size',
    default: 64 * MiB,
    min: KiB,
    max: 64 * MiB,
    help: 'largest JSON body',
  },
  {
    name: 'allowUnprotected',
    flag: 'allow-unprotected',
    type: 'switch',
    default: false,
    help: 'listen beyond loopback although anybody who reaches the port may read and write',
  },
  {
    name: 'allowedHosts',
    flag: 'allowed-hosts',
    type: 'list',
    default: [],
    help: 'Host names served on a loopback address beside localhost and IP literals',
  },
  {
    name: 'allowedOrigins',
    flag: 'allowed-origins',
    type: 'list',
    default: [],
    help: 'Origins, as https://example.org, whose pages may send changes',
  },
  {
    name: 'getAdmin',
    flag: 'get-admin',
    type: 'switch',
    default: true,
    help: 'answer GET /clear and GET /close (never to browsers) beside their POST forms',
  },
  {
    name: 'bodyCsp',
    flag: 'body-csp',
    type: 'text',
    default: "sandbox; default-src 'none'",
    help: 'Content-Security-Policy of raw bodies; none sends no such header',
  },
  {
    name: 'drainTimeoutMs',
    flag: 'drain-timeout',
    type: 'duration',
    default: 8000,
    min: 100,
    max: 3_600_000,
    help: 'how long a graceful stop may take before it is cut short',
  },
  {
    name: 'logLevel',
    flag: 'log-level',
    type: 'choice',
    default: 'info',
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    help: 'least severe log line that is written',
  },
];
