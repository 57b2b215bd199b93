/** The application of a worker over a store, asked without a port. */
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { newCounters } from '../../../src/protocol/counters.ts';
import { Savings } from '../../../src/protocol/savings.ts';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { buildApp } from '../../../src/workers/app.ts';
import type { Store } from '../../../src/workers/store/store.ts';
import { DEFAULT_CONFIG } from '../../default-config.ts';
import { noStatistics } from '../../statistics-fixture.ts';
import { SILENT } from '../../workers/store/segment-store-setup.ts';

export interface Told {
  readonly status: number;
  readonly code: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
}

export class ServedStore {
  readonly #app: FastifyInstance;

  constructor(t: TestContext, store: Store) {
    const counters = newCounters();
    this.#app = buildApp({
      store,
      config: DEFAULT_CONFIG,
      tokens: new Tokens(null),
      counters,
      collectCounters: async () => counters,
      savings: new Savings(),
      collectStatistics: async () => noStatistics(),
      log: SILENT,
      version: '0',
      isDraining: () => false,
    });
    t.after(() => this.#app.close());
  }

  async ask(method: 'GET' | 'POST', url: string, payload?: string): Promise<Told> {
    const sent = { method, url, headers: { host: 'localhost' } };
    const answer = await this.#app.inject(payload === undefined ? sent : { ...sent, payload });
    const isRefusal = answer.statusCode >= 400;
    const code = isRefusal ? answer.json<{ code: unknown }>().code : undefined;
    return { status: answer.statusCode, code, headers: answer.headers };
  }
}
