/** Whether a server answers with what the workload is about: a quick wrong answer would win. */
import { get, type IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { keyOf } from './load-plan.ts';
import type { MeasuredServer } from './measured-server.ts';
import { type RequestSetup, roundRequests } from './requests.ts';

interface Answer {
  readonly status: number | undefined;
  readonly encoding: string | undefined;
  readonly body: Buffer;
}

/** Throws where the first answer of a reading workload is another than it must be. */
export async function checkAnswer(server: MeasuredServer, setup: RequestSetup): Promise<void> {
  const { workload, bodyBytes, pages } = setup;
  if (workload.method !== 'GET' || workload.keys === 'missing') return;
  const { measured } = roundRequests(setup, server, 0, 0);
  const { before, after } = measured.target;
  const { status, encoding, body } = await fetchAnswer(
    `http://127.0.0.1:${server.port}${before}${keyOf(measured, 0)}${after}`,
    workload.accepts,
  );
  const expected = workload.accepts === 'gzip' ? 'gzip' : undefined;
  const plain = encoding === 'gzip' ? gunzipSync(body) : body;
  const page = pages[0]?.plain;
  const isRight = page === undefined ? plain.length === bodyBytes : plain.equals(page);
  if (status === 200 && encoding === expected && isRight) return;
  throw new Error(
    `${server.name} answers ${workload.name} with ${status}, ${body.length} bytes of ${encoding ?? 'plain'}`,
  );
}

function fetchAnswer(url: string, accepts: string | undefined): Promise<Answer> {
  const headers = accepts === undefined ? {} : { 'accept-encoding': accepts };
  return new Promise((resolve, reject) => {
    const take = (answer: IncomingMessage): void => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const encoding = answer.headers['content-encoding'];
        resolve({ status: answer.statusCode, encoding, body: Buffer.concat(pieces) });
      });
    };
    get(url, { headers, agent: false }, take).on('error', reject);
  });
}
