/** `/healthz` and `/readyz`: probes, answered whatever the Host. */
import type { FastifyInstance } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import type { RouteDeps } from '../deps.ts';
import { getAndHead, sendJson } from './declare.ts';
import { Type } from './json-schema.ts';
import { openErrorAnswers, STORAGE_ERRORS } from './schemas.ts';

const StatusAnswer = Type.Object(
  { status: Type.Literal('ok') },
  { description: 'Well.', examples: [{ status: 'ok' }] },
);

export function healthRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: '/healthz',
    config: { access: 'open', probe: true },
    schema: {
      summary: 'Liveness: this process answers',
      tags: ['health'],
      response: { 200: StatusAnswer, ...openErrorAnswers() },
    },
    handler: (_request, reply) => sendJson(reply, { status: 'ok' }),
  });
  getAndHead(app, {
    url: '/readyz',
    config: { access: 'open', probe: true },
    schema: {
      summary: 'Readiness: the store takes writes and this process is not stopping',
      tags: ['health'],
      response: { 200: StatusAnswer, ...openErrorAnswers(...STORAGE_ERRORS) },
    },
    handler: async (_request, reply) => {
      if (deps.isDraining()) throw new BigCacheError('SHUTTING_DOWN');
      await deps.store.checkWritable();
      sendJson(reply, { status: 'ok' });
    },
  });
}
