/** Generated requests, injected into applications in this process. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { InjectOptions } from 'fastify';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { bearer, TOKENS } from '../access/table-tokens.ts';
import { fixture } from '../app-fixture.ts';
import { Conformance } from './conformance.ts';
import type { ApiDocument } from './document.ts';
import { type GeneratedRequest, requestsFrom } from './generated-requests.ts';
import { GeneratedRun } from './generated-run.ts';

const SECRETS = ['all-secret', 'all-secret', 'team-secret', 'read-secret', 'wrong'];

/** The same requests, each with a token. */
function withTokens(requests: readonly GeneratedRequest[]): GeneratedRequest[] {
  return requests.map(({ headers, ...rest }, nth) => {
    const { authorization } = bearer(SECRETS[nth % SECRETS.length] ?? '');
    return { ...rest, headers: [['authorization', authorization], ...headers] };
  });
}

/** Sends `count` requests to an application of its own. */
export async function injectedRun(
  t: TestContext,
  seed: number,
  count: number,
  tokens: 'tokens' | 'no tokens',
): Promise<GeneratedRun> {
  const { app } = fixture(t, tokens === 'tokens' ? { tokens: new Tokens(TOKENS) } : {});
  const document = (await app.inject({ url: '/openapi.json' })).json<ApiDocument>();
  const run = new GeneratedRun(new Conformance(document), async (request) => {
    const { method, target: url, body } = request;
    const headers = { host: 'localhost', ...Object.fromEntries(request.headers) };
    const options: InjectOptions = { method: method as 'GET', url, headers };
    const answer = await app.inject(body === undefined ? options : { ...options, payload: body });
    return {
      method,
      target: answer.raw.req.url ?? '',
      status: answer.statusCode,
      headers: answer.headers,
      body: method === 'HEAD' ? Buffer.alloc(0) : answer.rawPayload,
    };
  });
  const requests = requestsFrom(document, seed, count);
  await run.run(tokens === 'tokens' ? withTokens(requests) : requests);
  t.diagnostic(`seed ${seed}, ${tokens}: ${run.summary()}`);
  assert.deepEqual(run.faults, [], `seed ${seed}`);
  return run;
}
