/** `/v1/incr/{key}`: counters. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CounterOrder } from '../../../protocol/counter.ts';
import { smallJsonOf } from '../../body/small-json.ts';
import type { RouteDeps } from '../../deps.ts';
import { int64Of, requireKnown, ttlMsOf } from '../../exact/fields.ts';
import type { Members } from '../../exact/values.ts';
import { sendBytes } from '../../send.ts';
import { JSON_TYPE } from '../../wrapper.ts';
import { inStore, keyAfter } from '../declare.ts';
import { INCR_SCHEMA, IncrBody } from './counters-schemas.ts';

const MOUNT = '/v1/incr/';

/** What a body, or an item of a batch, asks of a counter. Throws MEMBER_INVALID. */
export function counterOrderOf(members: Members): CounterOrder {
  return {
    by: int64Of(members, 'by', 1n),
    initial: int64Of(members, 'initial', 0n),
    ttlMs: ttlMsOf(members) ?? 0,
  };
}

async function increment(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const members = await smallJsonOf(deps, request, reply);
  requireKnown(members, ['by', 'initial', 'ttl']);
  const value = await inStore(request, deps.store.increment(key, counterOrderOf(members)));
  const headers = { 'content-type': JSON_TYPE, 'cache-control': 'no-store' };
  // JSON.stringify takes no bigint; its digits are the JSON.
  sendBytes(reply, 200, headers, Buffer.from(`{"value":${value}}`));
}

export function incrRoutes(app: FastifyInstance, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: `${MOUNT}*`,
    config: { access: 'write', body: IncrBody, consumes: ['application/json'] },
    schema: INCR_SCHEMA,
    handler: (request, reply) => increment(deps, request, reply),
  });
}
