/** `/v1/explain/{key}`: why a key hits or misses. */
import type { FastifyInstance } from 'fastify';
import type { ExplainedEntry, Explanation } from '../../../protocol/explanation.ts';
import { type PurgeSelector, purgeId } from '../../../protocol/purge.ts';
import { maySelect } from '../../access/selectors.ts';
import type { RouteDeps } from '../../deps.ts';
import { getAndHead, inStore, keyAfter, sendJson } from '../declare.ts';
import { EXPLAIN_SCHEMA } from './purges-schemas.ts';

const MOUNT = '/v1/explain/';

const seconds = (atMs: number): number | null => (atMs === 0 ? null : atMs / 1000);

/** What a purge selected is told to those alone who may ask for its report. */
function shown(
  key: string,
  told: Explanation,
  maySee: (selector: PurgeSelector) => boolean,
): object {
  const { state, reason, atMs, purgeVersion, purge, entry, rememberedSinceMs } = told;
  const selected =
    purge === undefined || !maySee(purge.selector)
      ? {}
      : { selector: purge.selector, soft: purge.isSoft };
  return {
    ...{ key, state, reason },
    at: seconds(atMs),
    ...(purgeVersion === 0 ? {} : { by: { purge: purgeId(purgeVersion), ...selected } }),
    ...(entry === undefined ? {} : { entry: shownEntry(entry) }),
    rememberedSince: rememberedSinceMs / 1000,
  };
}

function shownEntry(entry: ExplainedEntry): object {
  const { storedAtMs, expiresAtMs, plainBytes: size, costMs, tags } = entry;
  return {
    storedAt: storedAtMs / 1000,
    expiresAt: seconds(expiresAtMs),
    staleWhileRevalidateUntil: seconds(entry.staleWhileRevalidateUntilMs),
    staleIfErrorUntil: seconds(entry.staleIfErrorUntilMs),
    ...{ size, costMs, tags },
  };
}

export function explainRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: `${MOUNT}*`,
    config: { access: 'read' },
    schema: EXPLAIN_SCHEMA,
    handler: async (request, reply) => {
      const key = keyAfter(MOUNT, request, 'read');
      const told = await inStore(request, deps.store.explain(key));
      sendJson(
        reply,
        shown(key, told, (selector) => maySelect(request, selector)),
      );
    },
  });
}
