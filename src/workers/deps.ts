/** What an HTTP worker's application is built from, and what its routes share. */
import type { BaseLogger } from 'pino';
import type { TlsPair } from '../protocol/access.ts';
import type { Config } from '../protocol/config.ts';
import type { Counters } from '../protocol/counters.ts';
import type { Savings } from '../protocol/savings.ts';
import type { Statistics } from '../protocol/statistics.ts';
import type { Tokens } from './access/tokens.ts';
import type { Uploads } from './body/uploads.ts';
import type { Inspector } from './json/inspector.ts';
import type { Limits } from './limits.ts';
import type { Traffic } from './metrics/traffic.ts';
import type { Store } from './store/store.ts';
import type { Surplus } from './surplus.ts';

/** The logger's methods that are used here; pino's. */
export type Log = Pick<BaseLogger, 'error' | 'warn' | 'info' | 'debug'>;

/** What `buildApp` needs. */
export interface AppDeps {
  readonly store: Store;
  readonly config: Config;
  /** Those that are in force, which may be replaced by others. */
  readonly tokens: Tokens;
  /** What HTTPS is spoken with; without it HTTP is spoken in the clear. */
  readonly tls?: TlsPair | null;
  /** This worker's own counters, which its routes raise. */
  readonly counters: Counters;
  /** The counters of all processes together. */
  collectCounters(): Promise<Counters>;
  /** What the hits of this worker have saved; its routes note them. */
  readonly savings: Savings;
  /** What else this worker counts; its routes raise it. */
  readonly traffic?: Traffic;
  /** What all processes count and measure. */
  collectStatistics(): Promise<Statistics>;
  readonly log: Log;
  readonly version: string;
  /** Whether the server is stopping; requests are then refused. */
  isDraining(): boolean;
  /** Limits that differ from the usual ones. */
  readonly limits?: Partial<Limits>;
  /** The bodies that are arriving, where somebody else has to know of them too. */
  readonly uploads?: Uploads;
  /** What this worker holds too many of; without it, it never does. */
  readonly surplus?: Surplus;
  /** Unix milliseconds; Date.now unless a test sets the time. */
  readonly now?: () => number;
}

/** What every route is given. */
export interface RouteDeps extends Required<AppDeps> {
  readonly limits: Limits;
  readonly inspector: Inspector;
}
