/** Some hundred requests made from the document; many thousands in generated.slow.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testSeed } from '../../e2e/chaos/random.ts';
import { Conformance } from './conformance.ts';
import type { ApiDocument } from './document.ts';
import { requestsFrom } from './generated-requests.ts';
import { GeneratedRun, type Send } from './generated-run.ts';
import { injectedRun } from './injected-run.ts';

const PLAIN = { headers: { 'cache-control': 'no-store' }, body: Buffer.alloc(0) };

/** A service with one operation, whose answers are given. */
const DOCUMENT: ApiDocument = {
  openapi: '3.1.0',
  paths: {
    '/a/{key}': {
      post: {
        tags: ['v1'],
        parameters: [{ name: 'key', in: 'path', required: true, schema: { type: 'string' } }],
        requestBody: { content: { 'application/json': { schema: { type: 'object' } } } },
        responses: {
          204: { description: 'Done.', headers: { 'cache-control': { schema: {} } } },
          500: { description: 'Failed.', headers: { 'cache-control': { schema: {} } } },
        },
      },
    },
  },
  components: { headers: {}, responses: {} },
};

const REQUEST = { method: 'POST', target: '/a/x', headers: [], body: undefined };

async function faultsOf(send: Send): Promise<string> {
  const run = new GeneratedRun(new Conformance(DOCUMENT), send);
  await run.ask(REQUEST);
  return run.faults.join('\n');
}

describe('generated requests', () => {
  it('get answers that the document has, and no failures', async (t) => {
    const seed = testSeed();
    await injectedRun(t, seed, 300, 'no tokens');
    await injectedRun(t, seed, 100, 'tokens');
  });

  it('are the same for the same seed', () => {
    const made = requestsFrom(DOCUMENT, 7, 50);
    assert.equal(made.length, 50);
    assert.deepEqual(made, requestsFrom(DOCUMENT, 7, 50));
    assert.notDeepEqual(made, requestsFrom(DOCUMENT, 8, 50));
    assert.deepEqual(requestsFrom(DOCUMENT, 7, 0), []);
  });

  it('find a failure, a status that is not described, and an answer that does not come', async () => {
    const answered = (status: number): Send => {
      return async ({ method, target }) => ({ method, target, status, ...PLAIN });
    };
    assert.equal(await faultsOf(answered(204)), '');
    assert.match(await faultsOf(answered(500)), /POST \/a\/x .*: 500/);
    assert.match(await faultsOf(answered(418)), /no status 418/);
    assert.match(await faultsOf(() => Promise.reject(new Error('cut'))), /no answer: Error: cut/);
  });

  it('are counted by operation, each to be served and refused', async () => {
    const run = new GeneratedRun(new Conformance(DOCUMENT), async ({ method, target }) => ({
      ...{ method, target, status: 204 },
      ...PLAIN,
    }));
    await run.ask(REQUEST);
    assert.deepEqual([...run.uncovered()], ['POST /a/{key}']);
    assert.equal(run.summary(), '1 requests to 1 operations; 204: 1');
  });
});
