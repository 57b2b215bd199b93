/** `/pickle/{key}`: entries of raw bytes of the original's face. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Lifetime, lifetimeFromSeconds } from '../../protocol/lifetime.ts';
import { type EntryMeta, Kind } from '../../protocol/record.ts';
import { bodyOf, Upload } from '../body/upload.ts';
import type { RouteDeps } from '../deps.ts';
import { bodyHeaders, RAW_TYPE, storedContentType } from '../http/content-type.ts';
import { leaseCost, leaseTokenOf } from '../http/lease-fields.ts';
import { frameEntry } from '../wrapper.ts';
import { ENCODED_HEADERS, MISS_HEADERS, RAW_BODY_HEADERS } from './answer-headers.ts';
import { removeEntry, removeEntrySchema } from './cache.ts';
import { getAndHead, inStore, keyAfter, prefersMinimal, sendJson, sendMinimal } from './declare.ts';
import { Type } from './json-schema.ts';
import { type Presentation, readEntry } from './read-entry.ts';
import {
  BODY_ERRORS,
  errorAnswers,
  KeyParams,
  LeaseTokenHeader,
  MinimalAnswer,
  PreferHeader,
  RawBody,
  ReadHeaders,
  readErrorAnswers,
} from './schemas.ts';

const MOUNT = '/pickle/';
const MAX_AGE = /(?:^|[\s,])max-age="?(\d+)"?(?:$|[\s,])/i;
/** RFC 9111 section 1.2.2: what is more counts as this. */
const MAX_AGE_CAP_SECONDS = 2 ** 31;

const StoredAnswer = Type.Object(
  {
    key: Type.String(),
    expire: Type.Union([Type.Literal('not set'), Type.Number()], {
      description: 'Unix time in seconds where a max-age was sent.',
    }),
  },
  {
    description: 'Stored.',
    examples: [
      { key: 'model/7', expire: 'not set' },
      { key: 'model/7', expire: 1893456000.5 },
    ],
  },
);

const PickleHeaders = Type.Object({
  ...PreferHeader.properties,
  ...LeaseTokenHeader.properties,
  'cache-control': Type.Optional(Type.String({ description: 'Seconds to live: `max-age=3600`.' })),
});

const AS_BYTES: Presentation = {
  mount: MOUNT,
  frame: frameEntry,
  headers: (record, { config }) => {
    const headers = bodyHeaders(record, config.bodyCsp);
    headers['cache-control'] = 'no-store';
    return headers;
  },
};

/** The lifetime that `Cache-Control: max-age` asks for; undefined where there is none. */
function lifetimeOf(request: FastifyRequest, nowMs: number): Lifetime | undefined {
  const seconds = MAX_AGE.exec(request.headers['cache-control'] ?? '')?.[1];
  if (seconds === undefined) return undefined;
  return lifetimeFromSeconds(Math.min(Number(seconds), MAX_AGE_CAP_SECONDS), nowMs);
}

async function write(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const contentType = storedContentType(request.headers['content-type']);
  const lifetime = lifetimeOf(request, deps.now());
  const token = leaseTokenOf(request.raw.headers);
  const meta: EntryMeta = {
    ...leaseCost(token, deps.now()),
    kind: Kind.raw,
    expiresAtMs: lifetime?.expiresAtMs ?? 0,
    contentType,
    expire: lifetime?.expire ?? null,
    duration: null,
  };
  const upload = new Upload(deps.uploads, request.raw, reply.raw, deps.config.bodyBytesMax);
  try {
    const body = await bodyOf(request, upload);
    await inStore(request, deps.store.put(key, meta, body, undefined, token));
    if (prefersMinimal(request)) sendMinimal(reply);
    else sendJson(reply, { key, expire: meta.expire ?? 'not set' });
  } finally {
    upload.close();
  }
}

export function pickleRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: `${MOUNT}*`,
    config: { access: 'read' },
    schema: {
      summary: 'Read an entry as bytes',
      description: 'Of a JSON entry, the bytes that `GET /cache/{key}` answers with.',
      tags: ['entries'],
      params: KeyParams,
      headers: ReadHeaders,
      response: {
        200: {
          description: 'A hit, with the Content-Type that was stored.',
          headers: { ...ENCODED_HEADERS, ...RAW_BODY_HEADERS },
          content: { '*/*': { schema: RawBody } },
        },
        ...readErrorAnswers(MISS_HEADERS),
      },
    },
    handler: (request, reply) => readEntry(deps, request, reply, AS_BYTES),
  });
  app.route({
    method: 'POST',
    url: `${MOUNT}*`,
    config: { access: 'write', body: RawBody, consumes: [RAW_TYPE, '*/*'] },
    schema: {
      summary: 'Store bytes',
      description: 'Any Content-Type, or none.',
      tags: ['entries'],
      params: KeyParams,
      headers: PickleHeaders,
      response: {
        200: StoredAnswer,
        204: MinimalAnswer,
        ...errorAnswers('LEASE_LOST', ...BODY_ERRORS),
      },
    },
    handler: (request, reply) => write(deps, request, reply),
  });
  app.route({
    method: 'DELETE',
    url: `${MOUNT}*`,
    config: { access: 'write' },
    schema: removeEntrySchema,
    handler: (request, reply) => removeEntry(deps, MOUNT, request, reply),
  });
}
