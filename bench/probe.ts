/** Whether a server answers with what the workload is about: a quick wrong answer would win. */
import { gunzipSync } from 'node:zlib';
import { PageClient } from '../test/e2e/compression/page-client.ts';
import { keyOf } from './load-plan.ts';
import type { MeasuredServer } from './measured-server.ts';
import { type RequestSetup, roundRequests } from './requests.ts';

/** Throws where the first answer of a reading workload is another than it must be. */
export async function checkAnswer(server: MeasuredServer, setup: RequestSetup): Promise<void> {
  const { workload, bodyBytes, pages } = setup;
  if (workload.method !== 'GET' || workload.keys === 'missing') return;
  const { measured } = roundRequests(setup, server, 0, 0);
  const { before, after } = measured.target;
  const client = new PageClient(`http://127.0.0.1:${server.port}`);
  const asked = client.get(`${before}${keyOf(measured, 0)}${after}`, workload.accepts);
  const { bytes: body, encoding } = await asked.finally(() => client.close());
  const expected = workload.accepts === 'gzip' ? 'gzip' : undefined;
  const plain = encoding === 'gzip' ? gunzipSync(body) : body;
  const page = pages[0]?.plain;
  const isRight = page === undefined ? plain.length === bodyBytes : plain.equals(page);
  if (encoding === expected && isRight) return;
  throw new Error(
    `${server.name} answers ${workload.name} with ${body.length} bytes of ${encoding ?? 'plain'}`,
  );
}
