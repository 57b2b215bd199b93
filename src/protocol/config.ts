/**
 * The one schema of options: name, default, bounds, unit, help text. The command line, the environment
 * variables, validation, `--help`, `--print-config` and docs/configuration.md are made from it.
 */
import type { Form, OptionShape } from './option-spec.ts';
import { processors } from './processors.ts';

export { environmentName } from './option-spec.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const TiB = 1024 * GiB;

export const SEGMENT_BYTES_MIN = 4 * MiB;
export const SEGMENT_BYTES_MAX = 256 * MiB;

/** The size of segments where none was asked for: many to a quota, so that evictions are small. */
export function segmentBytesFor(storeBytesMax: number, workers: number): number {
  if (storeBytesMax === 0) return SEGMENT_BYTES_MAX;
  const share = Math.floor(storeBytesMax / (16 * workers));
  return Math.min(Math.max(share, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
}

/** When what was acknowledged is on the disk: left to the system, within a second, or before. */
export type Durability = 'none' | 'interval' | 'always';

/** The settings of a running server. Sizes are bytes, times milliseconds. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dbPath: string;
  readonly workers: number;
  /** What the store may take on disk, index included; 0 for no limit. */
  readonly storeBytesMax: number;
  /** What is left free on the disk whatever the limit; 0 chooses by the size of the disk. */
  readonly freeBytesMin: number;
  readonly segmentBytes: number;
  readonly durability: Durability;
  readonly onCorruption: 'fail' | 'fresh';
  /** Garbage in a segment, in percent, from which its live entries are copied together. */
  readonly reclaimGarbagePercent: number;
  readonly reclaimBytesPerSecond: number;
  readonly handEntriesPerSecond: number;
  readonly bodyBytesMax: number;
  readonly jsonBytesMax: number;
  /** Whether bodies are stored compressed where it pays; what is stored is served either way. */
  readonly compression: boolean;
  /** What each worker may hold of records that it has served lately; 0 for none. */
  readonly recordCacheBytes: number;
  /** What each worker may hold of bodies that are asked for again and again, beside their records; 0 for none. */
  readonly bodyCacheBytes: number;
  /** Empty where nobody needs a token. */
  readonly tokenFilePath: string;
  readonly allowUnprotected: boolean;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly getAdmin: boolean;
  readonly bodyCsp: string;
  /** Both are given, or both are empty. */
  readonly tlsCertPath: string;
  readonly tlsKeyPath: string;
  readonly drainTimeoutMs: number;
  /** Requests that take longer are logged. */
  readonly slowMs: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

export type OptionSpec = OptionShape & {
  /** The setting that it is for. */
  readonly name: keyof Config;
};

const PATH: Form = { pattern: /^[^\p{Cc}]+$/u, words: 'a path' };
const ADDRESS: Form = { pattern: /^[^\s\p{Cc}/]+$/u, words: 'an IP address or a host name' };
const HOST_NAME: Form = {
  pattern: /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i,
  words: 'host names without a port',
};
const ORIGIN: Form = {
  pattern: /^https?:\/\/[^\s/@?#]+$/i,
  words: 'origins as https://example.org, without a path',
};
const HEADER: Form = { pattern: /^[\x20-\x7e]+$/, words: 'printable ASCII' };

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
    form: ADDRESS,
    default: '127.0.0.1',
    help: 'address to listen on; beyond loopback needs --token-file or --allow-unprotected',
  },
  {
    name: 'dbPath',
    flag: 'db-path',
    alias: 'db_path',
    envAliases: ['DB_PATH'],
    type: 'text',
    form: PATH,
    default: './data',
    help: 'directory that holds the store; made if it is missing',
  },
  {
    name: 'workers',
    flag: 'workers',
    type: 'integer',
    default: Math.min(processors(), 128),
    defaultText: 'the processors, at most 128',
    min: 1,
    max: 128,
    help: 'HTTP worker processes',
  },
  {
    name: 'storeBytesMax',
    flag: 'max-size',
    type: 'size',
    zero: 'none',
    default: 0,
    min: 64 * MiB,
    max: 1024 * TiB,
    help: 'what the store may take on disk, index included; the oldest entries make room',
  },
  {
    name: 'freeBytesMin',
    flag: 'min-free',
    type: 'size',
    zero: 'auto',
    default: 0,
    defaultText: 'the lesser of 1 GiB and 5 % of the disk',
    min: 64 * MiB,
    max: 1024 * TiB,
    help: 'what is left free on the disk; holds whatever --max-size is',
  },
  {
    name: 'segmentBytes',
    flag: 'segment-size',
    type: 'size',
    zero: 'auto',
    default: 0,
    defaultText: 'max-size / (16 x workers), within 4MiB to 256MiB',
    min: SEGMENT_BYTES_MIN,
    max: SEGMENT_BYTES_MAX,
    help: 'size at which a segment file is sealed and the next one begun',
  },
  {
    name: 'durability',
    flag: 'durability',
    type: 'choice',
    default: 'interval',
    choices: ['none', 'interval', 'always'],
    help: 'when writes are on the disk: when the system likes, within 1 s, or before the answer',
  },
  {
    name: 'onCorruption',
    flag: 'on-corruption',
    type: 'choice',
    default: 'fail',
    choices: ['fail', 'fresh'],
    help: 'what a start does with a damaged store: refuse, or move it to quarantine and begin empty',
  },
  {
    name: 'reclaimGarbagePercent',
    flag: 'reclaim-garbage',
    type: 'integer',
    default: 50,
    min: 10,
    max: 95,
    help: 'percent of garbage in a segment from which its live entries are copied together',
  },
  {
    name: 'reclaimBytesPerSecond',
    flag: 'reclaim-rate',
    type: 'size',
    default: 32 * MiB,
    min: MiB,
    max: 100 * GiB,
    help: 'bytes per second that reclaiming copies at most, unless room is short',
  },
  {
    name: 'handEntriesPerSecond',
    flag: 'hand-rate',
    type: 'integer',
    default: 12_000,
    min: 1000,
    max: 10_000_000,
    help: 'entries per second that the background scan for expired and purged ones looks at',
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
    name: 'compression',
    flag: 'compression',
    type: 'switch',
    default: true,
    help: 'store bodies compressed where it pays; off stores new ones as they are given',
  },
  {
    name: 'recordCacheBytes',
    flag: 'record-cache',
    type: 'size',
    zero: 'off',
    default: 16 * MiB,
    min: 64 * KiB,
    max: 4 * GiB,
    help: 'memory of each worker for records that it served lately, so that hits need no message',
  },
  {
    name: 'bodyCacheBytes',
    flag: 'body-cache',
    type: 'size',
    zero: 'off',
    default: 32 * MiB,
    min: 64 * KiB,
    max: 4 * GiB,
    help: 'memory of each worker for bodies that are asked for again and again; needs --record-cache',
  },
  {
    name: 'tokenFilePath',
    flag: 'token-file',
    type: 'text',
    form: PATH,
    empty: 'none',
    default: '',
    help: 'JSON file of the tokens that clients need, and of what each may do; read again on SIGHUP',
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
    form: HOST_NAME,
    default: [],
    help: 'Host names served on a loopback address beside localhost and IP literals',
  },
  {
    name: 'allowedOrigins',
    flag: 'allowed-origins',
    type: 'list',
    form: ORIGIN,
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
    form: HEADER,
    default: "sandbox; default-src 'none'",
    help: 'Content-Security-Policy of raw bodies; none sends no such header',
  },
  {
    name: 'tlsCertPath',
    flag: 'tls-cert',
    type: 'text',
    form: PATH,
    empty: 'none',
    default: '',
    help: 'certificate, PEM, with those above it; HTTPS is spoken then; read again on SIGHUP',
  },
  {
    name: 'tlsKeyPath',
    flag: 'tls-key',
    type: 'text',
    form: PATH,
    empty: 'none',
    default: '',
    help: 'private key of the certificate, PEM without a passphrase; read again on SIGHUP',
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
    name: 'slowMs',
    flag: 'slow-ms',
    type: 'integer',
    default: 1000,
    min: 0,
    max: 3_600_000,
    help: 'milliseconds from which on a request is logged as slow, waits for leases left out',
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
