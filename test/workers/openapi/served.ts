/** The document that an application serves, and whether all that it answers is as it says there. */
import assert from 'node:assert/strict';
import type { FastifyInstance } from 'fastify';
import { type AppDeps, buildApp } from '../../../src/workers/app.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { Conformance, type SeenAnswer } from './conformance.ts';
import type { ApiDocument } from './document.ts';
import { watchAnswers } from './watching.ts';

/** Generating the document takes time, and few tests change what it depends on. */
const served = new Map<string, Promise<Conformance>>();

/** Asks a twin, so that the tested application neither counts nor logs the request. */
async function askTwin({ config, tokens, ...deps }: AppDeps): Promise<Conformance> {
  const { uploads: _uploads, traffic: _traffic, ...rest } = deps;
  const twin = buildApp({
    ...rest,
    config,
    tokens,
    tls: null,
    store: new MemoryStore(),
    isDraining: () => false,
  });
  try {
    const answer = await twin.inject({ url: '/openapi.json', headers: { host: 'localhost' } });
    return new Conformance(answer.json<ApiDocument>());
  } finally {
    await twin.close();
  }
}

/** What the application made of `deps` says of itself. */
export function servedBy(deps: AppDeps): Promise<Conformance> {
  const key = JSON.stringify([deps.config, deps.tokens.areNeeded]);
  const known = served.get(key) ?? askTwin(deps);
  served.set(key, known);
  return known;
}

/** Watches `app`; what is returned throws where an answer until then was not as the document says. */
export function heldToDocument(
  app: FastifyInstance,
  documented: () => Promise<Conformance>,
): () => Promise<void> {
  const seen: SeenAnswer[] = [];
  watchAnswers(app, (answer) => seen.push(answer));
  return async () => {
    if (seen.length === 0) return;
    const conformance = await documented();
    const faults = seen.flatMap((answer) =>
      conformance
        .faultsOf(answer)
        .map((fault) => `${answer.method} ${answer.target.slice(0, 200)}: ${fault}`),
    );
    assert.deepEqual(faults, [], 'every answer is as the OpenAPI document says');
  };
}
