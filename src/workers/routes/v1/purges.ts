/** `/v1/purge` and `/v1/purges/{id}`: many entries removed, or made stale, at once. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../../protocol/errors.ts';
import { type PurgeReport, purgeId, versionOfPurgeId } from '../../../protocol/purge.ts';
import { allowScope } from '../../access/principal.ts';
import { allowSelector } from '../../access/selectors.ts';
import { Upload } from '../../body/upload.ts';
import type { RouteDeps } from '../../deps.ts';
import { requireJson } from '../../json/media-type.ts';
import { sendBytes } from '../../send.ts';
import { JSON_TYPE } from '../../wrapper.ts';
import { getAndHead, inStore, sendJson, targetAfter } from '../declare.ts';
import { PURGE_BODY_BYTES_MAX, purgeOrderOf } from './purge-body.ts';
import { PURGE_SCHEMA, PurgeBody, REPORT_SCHEMA } from './purges-schemas.ts';

const REPORTS = '/v1/purges/';

async function purge(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  requireJson(request.headers);
  const bytesMax = Math.min(PURGE_BODY_BYTES_MAX, deps.config.jsonBytesMax);
  const upload = new Upload(deps.uploads, request.raw, reply.raw, bytesMax);
  try {
    const order = purgeOrderOf(await upload.collect());
    allowSelector(request, order.selector);
    if ('all' in order.selector) allowScope(request, 'admin');
    const id = purgeId(await inStore(request, deps.store.purge(order)));
    const headers = {
      'content-type': JSON_TYPE,
      'cache-control': 'no-store',
      location: `${REPORTS}${id}`,
    };
    sendBytes(reply, 202, headers, Buffer.from(JSON.stringify({ id })));
  } finally {
    upload.close();
  }
}

async function report(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const version = versionOfPurgeId(targetAfter(REPORTS, request));
  const found = version === undefined ? undefined : await deps.store.purgeReport(version);
  if (found === undefined) throw new BigCacheError('PURGE_UNKNOWN');
  allowSelector(request, found.selector);
  sendJson(reply, shownReport(found));
}

function shownReport(told: PurgeReport): object {
  const { version, selector, isSoft, isDryRun, startedAtMs, finishedAtMs } = told;
  const { matched, removed, bytes, costMs } = told;
  return {
    id: purgeId(version),
    selector,
    soft: isSoft,
    dryRun: isDryRun,
    state: finishedAtMs === null ? 'running' : 'done',
    ...{ matched, removed, bytes, costMs },
    startedAt: startedAtMs / 1000,
    finishedAt: finishedAtMs === null ? null : finishedAtMs / 1000,
  };
}

export function purgeRoutes(app: FastifyInstance, deps: RouteDeps): void {
  app.route({
    method: 'POST',
    url: '/v1/purge',
    config: { access: 'write', body: PurgeBody, consumes: ['application/json'] },
    schema: PURGE_SCHEMA,
    handler: (request, reply) => purge(deps, request, reply),
  });
  getAndHead(app, {
    url: `${REPORTS}*`,
    config: { access: 'read' },
    schema: REPORT_SCHEMA,
    handler: (request, reply) => report(deps, request, reply),
  });
}
