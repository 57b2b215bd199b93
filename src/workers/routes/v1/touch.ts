/** `/v1/touch/{key}`: another lifetime for an entry, without its body. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../../protocol/errors.ts';
import { smallJsonOf } from '../../body/small-json.ts';
import type { RouteDeps } from '../../deps.ts';
import { memberInvalid, requireKnown, ttlMsOf } from '../../exact/fields.ts';
import { sendHead } from '../../send.ts';
import { inStore, keyAfter } from '../declare.ts';
import { TOUCH_SCHEMA, TouchBody } from './counters-schemas.ts';

const MOUNT = '/v1/touch/';

async function touch(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const members = await smallJsonOf(deps, request, reply);
  requireKnown(members, ['ttl']);
  const ttlMs = ttlMsOf(members);
  if (ttlMs === undefined) throw memberInvalid('Send {"ttl": seconds}, or null for ever.');
  if (!(await inStore(request, deps.store.touch(key, ttlMs))))
    throw new BigCacheError('CACHE_MISS');
  sendHead(reply, 204, { 'cache-control': 'no-store' });
}

export function touchRoutes(app: FastifyInstance, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${MOUNT}*`,
    config: { access: 'write', body: TouchBody, consumes: ['application/json'] },
    schema: TOUCH_SCHEMA,
    handler: (request, reply) => touch(deps, request, reply),
  });
}
