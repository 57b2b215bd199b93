/** `/cache/{key}`: JSON entries of the original's face. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import {
  DURATION_LENGTH_MAX,
  type Lifetime,
  lifetimeFromExpire,
  lifetimeFromSeconds,
} from '../../protocol/lifetime.ts';
import { Kind } from '../../protocol/record.ts';
import { Upload } from '../body/upload.ts';
import type { RouteDeps } from '../deps.ts';
import { leaseCost, leaseTokenOf } from '../http/lease-fields.ts';
import type { Inspection } from '../json/inspect.ts';
import { requireJson } from '../json/media-type.ts';
import { sendBytes, sendPieces } from '../send.ts';
import { frameEntry, JSON_TYPE, prologueOf } from '../wrapper.ts';
import { ENCODED_HEADERS, MISS_HEADERS } from './answer-headers.ts';
import { getAndHead, inStore, keyAfter, prefersMinimal, sendJson, sendMinimal } from './declare.ts';
import { Type } from './json-schema.ts';
import { type Presentation, readEntry } from './read-entry.ts';
import {
  BODY_ERRORS,
  errorAnswers,
  KeyParams,
  LeaseTokenHeader,
  MinimalAnswer,
  messageAnswer,
  PreferHeader,
  ReadHeaders,
  readErrorAnswers,
  WRITE_ERRORS,
} from './schemas.ts';

const MOUNT = '/cache/';
/** Answers to a POST up to this size are made in one piece. */
const ANSWER_BYTES_COPIED_MAX = 64 * 1024;

const Expire = Type.Union([Type.Number(), Type.Null()], {
  description: 'Unix time in seconds; null for never.',
});
const DurationText = Type.String({
  pattern: '^\\d+[smhd][A-Za-z]*$',
  maxLength: DURATION_LENGTH_MAX,
});
const Duration = Type.Union([DurationText, Type.Null()], {
  description:
    'A number and a unit (s, m, h, d); what follows the unit is ignored. Wins over expire.',
});

const CacheBody = Type.Object(
  {
    value: Type.Unknown({ description: 'Any JSON; it comes back byte for byte.' }),
    expire: Type.Optional(Expire),
    duration: Type.Optional(Duration),
  },
  { examples: [{ value: '<html>…</html>', duration: '28d' }] },
);

const STORED_EXAMPLE = { key: 'page/1', value: { title: 'One' }, expire: 1893456000 };

const StoredAnswer = Type.Object(
  { key: Type.String(), value: Type.Unknown(), expire: Expire },
  { description: 'Stored.', examples: [STORED_EXAMPLE] },
);

const EntryAnswer = Type.Object(
  { key: Type.String(), value: Type.Unknown(), expire: Expire, duration: Duration },
  {
    description: 'A hit.',
    headers: ENCODED_HEADERS,
    examples: [
      { ...STORED_EXAMPLE, duration: '28d' },
      { key: 'a', value: 1, expire: null, duration: null },
    ],
  },
);

const AS_JSON: Presentation = {
  mount: MOUNT,
  frame: (key, record) => {
    if (record.kind !== Kind.json) throw new BigCacheError('KIND_MISMATCH');
    return frameEntry(key, record);
  },
  headers: () => ({ 'content-type': JSON_TYPE, 'cache-control': 'no-store' }),
};

function lifetimeOf(inspection: Inspection, nowMs: number): Lifetime {
  const { durationSeconds, expire } = inspection;
  return durationSeconds === null
    ? lifetimeFromExpire(expire)
    : lifetimeFromSeconds(durationSeconds, nowMs);
}

interface StoredValue {
  readonly key: string;
  readonly value: Buffer;
  readonly expire: number | null;
}

async function storeValue(
  deps: RouteDeps,
  request: FastifyRequest,
  key: string,
  upload: Upload,
  leaseToken: string | undefined,
): Promise<StoredValue> {
  const { body, inspection } = await deps.inspector.inspect(await upload.collect());
  const value = body.subarray(inspection.valueStart, inspection.valueEnd);
  const { expiresAtMs, expire } = lifetimeOf(inspection, deps.now());
  const { duration } = inspection;
  const cost = leaseCost(leaseToken, deps.now());
  const meta = { kind: Kind.json, expiresAtMs, contentType: null, expire, duration, ...cost };
  await inStore(request, deps.store.put(key, meta, value, undefined, leaseToken));
  return { key, value, expire };
}

/** Answers with what was stored, and closes `upload` once the answer keeps none of its bytes. */
function sendStored(reply: FastifyReply, stored: StoredValue, upload: Upload): void {
  const { key, value, expire } = stored;
  const headers = { 'content-type': JSON_TYPE, 'cache-control': 'no-store' };
  const pieces = [prologueOf(key), value, Buffer.from(`,"expire":${expire}}`)];
  if (value.length > ANSWER_BYTES_COPIED_MAX) {
    sendPieces(reply, headers, pieces, () => upload.close());
    return;
  }
  sendBytes(reply, 200, headers, Buffer.concat(pieces));
  upload.close();
}

async function write(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const token = leaseTokenOf(request.raw.headers);
  requireJson(request.headers);
  const upload = new Upload(deps.uploads, request.raw, reply.raw, deps.config.jsonBytesMax);
  try {
    const stored = await storeValue(deps, request, key, upload, token);
    if (!prefersMinimal(request)) {
      sendStored(reply, stored, upload);
      return;
    }
    sendMinimal(reply);
    upload.close();
  } catch (error) {
    upload.close();
    throw error;
  }
}

/** Removes the entry that a request under `mount` names; both kinds are removed alike. */
export async function removeEntry(
  deps: RouteDeps,
  mount: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const key = keyAfter(mount, request, 'write');
  if (!(await inStore(request, deps.store.delete(key)))) throw new BigCacheError('DELETE_MISS');
  deps.counters.delete += 1;
  sendJson(reply, { message: `'${key}' removed from cache.` });
}

/** The schema of a route that `removeEntry` handles. */
export const removeEntrySchema = {
  summary: 'Remove an entry',
  tags: ['entries'],
  params: KeyParams,
  response: {
    200: messageAnswer("'page/1' removed from cache."),
    ...errorAnswers('DELETE_MISS', ...WRITE_ERRORS),
  },
};

export function cacheRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: `${MOUNT}*`,
    config: { access: 'read' },
    schema: {
      summary: 'Read a JSON entry',
      tags: ['entries'],
      params: KeyParams,
      headers: ReadHeaders,
      response: {
        200: EntryAnswer,
        ...readErrorAnswers(MISS_HEADERS, 'KIND_MISMATCH'),
      },
    },
    handler: (request, reply) => readEntry(deps, request, reply, AS_JSON),
  });
  app.route({
    method: 'POST',
    url: `${MOUNT}*`,
    config: { access: 'write', body: CacheBody, consumes: ['application/json'] },
    schema: {
      summary: 'Store a JSON entry',
      tags: ['entries'],
      params: KeyParams,
      headers: Type.Object({ ...PreferHeader.properties, ...LeaseTokenHeader.properties }),
      response: {
        200: StoredAnswer,
        204: MinimalAnswer,
        ...errorAnswers(
          'LEASE_LOST',
          'MEDIA_TYPE_UNSUPPORTED',
          'BODY_INVALID',
          'DURATION_INVALID',
          'EXPIRE_INVALID',
          ...BODY_ERRORS,
        ),
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
