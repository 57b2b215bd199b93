/** The built server and ten thousand requests made from the document that it serves, byte for byte. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { Conformance } from '../../workers/openapi/conformance.ts';
import type { ApiDocument } from '../../workers/openapi/document.ts';
import { requestsFrom } from '../../workers/openapi/generated-requests.ts';
import { GeneratedRun, type Send } from '../../workers/openapi/generated-run.ts';
import { testSeed } from '../chaos/random.ts';
import { ServerProcess } from '../server-process.ts';
import { RawClient } from './raw-client.ts';

const REQUESTS = 10_000;
/** Requests go to the clients in turn, so that both workers are asked. */
const CLIENTS = 8;

function sendTo(t: TestContext, port: number): Send {
  const clients = Array.from({ length: CLIENTS }, () => new RawClient(port));
  t.after(() => {
    for (const client of clients) client.close();
  });
  let sent = 0;
  return (request) => {
    const client = clients[sent++ % CLIENTS];
    assert.ok(client !== undefined);
    return client.ask(request);
  };
}

it('10,000 requests get answers that the document of the server has, and no failures', async (t) => {
  const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
  const served = await fetch(`${server.url}/openapi.json`);
  const document = (await served.json()) as ApiDocument;
  const seed = testSeed();
  const run = new GeneratedRun(new Conformance(document), sendTo(t, server.port));
  await run.run(requestsFrom(document, seed, REQUESTS));
  t.diagnostic(`seed ${seed}: ${run.summary()}`);
  await run.complete(seed, 20);
  t.diagnostic(`every operation served and refused: ${run.summary()}`);
  assert.deepEqual(run.faults, [], `seed ${seed}`);
  assert.deepEqual([...run.uncovered()], []);
  const failures = server.log.filter(({ level = 0 }) => level >= 50);
  assert.deepEqual(failures, []);
  assert.equal(await server.stop(), 0);
});
