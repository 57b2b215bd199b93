/** `/v1/leases/{key}`: the holder of a lease gives it up, and who waits next takes over. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../../protocol/errors.ts';
import type { RouteDeps } from '../../deps.ts';
import { leaseTokenOf } from '../../http/lease-fields.ts';
import { sendHead } from '../../send.ts';
import { keyAfter } from '../declare.ts';
import { Type } from '../json-schema.ts';
import { errorAnswers, KeyParams, WRITE_ERRORS } from '../schemas.ts';

const MOUNT = '/v1/leases/';

async function release(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const token = leaseTokenOf(request.raw.headers);
  if (token === undefined) {
    throw new BigCacheError('REQUEST_INVALID', 'Send the Cache-Lease-Token of the lease.');
  }
  if (!(await deps.store.releaseLease(key, token))) throw new BigCacheError('LEASE_NOT_FOUND');
  sendHead(reply, 204, { 'cache-control': 'no-store' });
}

export function leaseRoutes(app: FastifyInstance, deps: RouteDeps): void {
  app.route({
    method: 'DELETE',
    url: `${MOUNT}*`,
    config: { access: 'write' },
    schema: {
      summary: 'Give a lease up',
      description: 'For a holder that has failed: the next caller gets the lease at once.',
      tags: ['v1'],
      params: KeyParams,
      headers: Type.Object({
        'cache-lease-token': Type.String({ description: 'The token that the miss gave.' }),
      }),
      response: {
        204: Type.Null({ description: 'Given up.' }),
        ...errorAnswers('LEASE_NOT_FOUND', ...WRITE_ERRORS),
      },
    },
    handler: (request, reply) => release(deps, request, reply),
  });
}
