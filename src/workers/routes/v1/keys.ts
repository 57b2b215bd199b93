/** `/v1/keys`: the entries there are, a page at a time, from the index alone. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ListedEntry } from '../../../protocol/listing.ts';
import { type EntryRecord, Kind } from '../../../protocol/record.ts';
import { visiblePrefix } from '../../access/principal.ts';
import type { RouteDeps } from '../../deps.ts';
import { plainTag } from '../../http/entity-tags.ts';
import { getAndHead, inStore, sendJson, targetAfter } from '../declare.ts';
import { cursorAfter, keyOfCursor, keysQueryOf } from './keys-query.ts';
import { KEYS_SCHEMA } from './keys-schemas.ts';

const PATH = '/v1/keys';

async function list(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { prefix: asked, cursor, limit } = keysQueryOf(targetAfter(PATH, request));
  const prefix = visiblePrefix(request, asked);
  const after = keyOfCursor(cursor, prefix);
  const { entries, next } = await inStore(request, deps.store.list({ prefix, after, limit }));
  sendJson(reply, {
    items: entries.map(shown),
    cursor: next === undefined ? null : cursorAfter(next, prefix),
  });
}

function shown({ key, record }: ListedEntry<EntryRecord>): object {
  const { kind, plainBytes, storedAtMs, expiresAtMs, tags, etag, costMs } = record;
  return {
    key,
    kind: kind === Kind.json ? 'json' : 'raw',
    size: plainBytes,
    storedAt: storedAtMs / 1000,
    expiresAt: expiresAtMs === 0 ? null : expiresAtMs / 1000,
    tags,
    etag: etag === null ? null : plainTag(etag),
    costMs,
  };
}

export function keysRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: PATH,
    config: { access: 'read' },
    schema: KEYS_SCHEMA,
    handler: (request, reply) => list(deps, request, reply),
  });
}
