/** Builds the application over a MemoryStore, with and without a port, for the tests of the HTTP side. */
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import type { TlsPair } from '../../src/protocol/access.ts';
import { type Config, OPTIONS } from '../../src/protocol/config.ts';
import { type Counters, newCounters } from '../../src/protocol/counters.ts';
import { Savings } from '../../src/protocol/savings.ts';
import { Tokens } from '../../src/workers/access/tokens.ts';
import { type AppDeps, buildApp } from '../../src/workers/app.ts';
import type { Uploads } from '../../src/workers/body/uploads.ts';
import type { Limits } from '../../src/workers/limits.ts';
import { Traffic } from '../../src/workers/metrics/traffic.ts';
import type { Surplus } from '../../src/workers/surplus.ts';
import { received } from '../raw-http.ts';
import { noStatistics } from '../statistics-fixture.ts';
import { heldToDocument, servedBy } from './openapi/served.ts';
import { MemoryStore } from './store/memory-store.ts';

export { received, request } from '../raw-http.ts';

export interface Fixture {
  readonly app: FastifyInstance;
  readonly store: MemoryStore;
  readonly counters: Counters;
  readonly traffic: Traffic;
  readonly logged: unknown[];
  isDraining: boolean;
}

export interface FixtureOptions {
  readonly config?: Partial<Config>;
  readonly limits?: Partial<Limits>;
  readonly now?: () => number;
  readonly store?: MemoryStore;
  readonly uploads?: Uploads;
  /** Those that are needed; none are unless they are given. */
  readonly tokens?: Tokens;
  readonly tls?: TlsPair;
  readonly surplus?: Surplus;
}

const defaults = Object.fromEntries(OPTIONS.map(({ name, default: value }) => [name, value]));

/** The settings of a server that was started without options. */
export function defaultConfig(changes: Partial<Config> = {}): Config {
  return { ...(defaults as unknown as Config), ...changes };
}

/** An application that is closed when the test ends; the test fails where an answer is not as documented. */
export function fixture(t: TestContext, options: FixtureOptions = {}): Fixture {
  const now = options.now ?? Date.now;
  const store = options.store ?? new MemoryStore(now);
  const counters = newCounters();
  const savings = new Savings();
  const traffic = new Traffic();
  const logged: unknown[] = [];
  const log = (entry: unknown): number => logged.push(entry);
  const deps: AppDeps = {
    store,
    config: defaultConfig(options.config),
    tokens: options.tokens ?? new Tokens(null),
    counters,
    collectCounters: async () => counters,
    savings,
    traffic,
    collectStatistics: async () =>
      noStatistics({ counters, savings, tally: traffic.tallyWith(counters) }),
    log: { error: log, warn: log, info: log, debug: log },
    version: '1.2.3',
    isDraining: () => made.isDraining,
    now,
    tls: options.tls ?? null,
    ...(options.surplus === undefined ? {} : { surplus: options.surplus }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.uploads === undefined ? {} : { uploads: options.uploads }),
  };
  const made: Fixture = {
    app: buildApp(deps),
    store,
    counters,
    traffic,
    logged,
    isDraining: false,
  };
  const checkAnswers = heldToDocument(made.app, () => servedBy(deps));
  t.after(async () => {
    await made.app.close();
    await checkAnswers();
  });
  return made;
}

export interface Listening extends Fixture {
  readonly port: number;
  /** Sends `bytes` on a connection of their own and resolves with all that comes back. */
  exchange(bytes: string | Buffer): Promise<string>;
  /** A connection that is cut when the test ends. */
  connect(): Socket;
}

/** An application that listens on a free port of loopback. */
export async function listening(t: TestContext, options: FixtureOptions = {}): Promise<Listening> {
  const made = fixture(t, options);
  await made.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = made.app.server.address() as AddressInfo;
  const open = (): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    t.after(() => socket.destroy());
    return socket;
  };
  return Object.assign(made, {
    port,
    connect: open,
    exchange: (bytes: string | Buffer) => received(open(), bytes),
  });
}

/** Resolves when `condition` holds; rejects after two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (const startMs = Date.now(); !condition(); ) {
    if (Date.now() - startMs > 2000) throw new Error('what was waited for did not happen');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
