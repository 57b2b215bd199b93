/** `/v1/entries/{key}`: entries in the terms of HTTP. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../../protocol/errors.ts';
import { type EntryMeta, Kind } from '../../../protocol/record.ts';
import { bodyOf, Upload } from '../../body/upload.ts';
import type { RouteDeps } from '../../deps.ts';
import { parseDirectives } from '../../http/cache-directives.ts';
import { missStatus } from '../../http/cache-status.ts';
import { parseTags } from '../../http/cache-tags.ts';
import { CODINGS_TAKEN, codingOf, decoded } from '../../http/content-encoding.ts';
import { storedContentType } from '../../http/content-type.ts';
import { plainTag } from '../../http/entity-tags.ts';
import { freshnessOf } from '../../http/freshness.ts';
import { leaseCost, leaseTokenOf } from '../../http/lease-fields.ts';
import { sendMiss } from '../../plugins/errors.ts';
import { sendContent, sendHead } from '../../send.ts';
import { NO_BODY, type Reading } from '../../store/store.ts';
import { getAndHead, inStore, keyAfter } from '../declare.ts';
import { readAndAnswer } from '../read-entry.ts';
import { RawBody } from '../schemas.ts';
import { DELETE_SCHEMA, GET_SCHEMA, PUT_SCHEMA } from './entries-schemas.ts';
import { preconditionOf } from './preconditions.ts';
import { type Answer, answerTo } from './representation.ts';

const MOUNT = '/v1/entries/';
const EMPTY = Buffer.alloc(0);
const FIXED = { 'cache-control': 'no-store' } as const;

function show(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> | undefined {
  const key = keyAfter(MOUNT, request, 'read');
  const { method, headers } = request.raw;
  const asked = { method: method ?? '', headers, nowMs: deps.now(), csp: deps.config.bodyCsp };
  let judged: Answer | undefined;
  const reading: Reading = {
    stale: parseDirectives(headers['cache-control']).has('max-stale')
      ? 'if-error'
      : 'while-revalidate',
    frame: (record) => {
      judged = answerTo(asked, record);
      const { status, range, encoded } = judged;
      if (status === 304 || status === 416 || method === 'HEAD') return NO_BODY;
      const framing = { prologue: EMPTY, epilogue: EMPTY, encoded };
      return range === undefined ? framing : { ...framing, range };
    },
  };
  return readAndAnswer(deps, request, reply, {
    key,
    reading,
    answer: (found, leaseHeaders) => {
      if (!found.found) {
        const cacheStatus = missStatus(found.reason);
        sendMiss(reply, found.reason, { ...leaseHeaders, 'cache-status': cacheStatus });
        return;
      }
      if (judged === undefined) throw new Error('INVARIANT: every hit was judged');
      if (leaseHeaders !== undefined) Object.assign(judged.headers, leaseHeaders);
      send(reply, judged, found);
    },
  });
}

function send(reply: FastifyReply, answer: Answer, hit: SentHit): void {
  const { status, headers, byteLength } = answer;
  if (status === 416) {
    hit.content.release();
    for (const [name, value] of Object.entries(headers)) reply.header(name, value);
    throw new BigCacheError('RANGE_UNSATISFIABLE');
  }
  const isHead = reply.request.raw.method === 'HEAD';
  if (status !== 304 && !isHead) {
    sendContent(reply, headers, hit.content, status);
    return;
  }
  hit.content.release();
  if (status !== 304) headers['content-length'] = byteLength;
  sendHead(reply, status, headers);
}

type SentHit = Extract<Awaited<ReturnType<RouteDeps['store']['get']>>, { found: true }>;

/** What the request says about the entry. Throws REQUEST_INVALID. */
function metaOf(request: FastifyRequest, nowMs: number): EntryMeta {
  const { headers } = request.raw;
  if (headers['content-range'] !== undefined) {
    throw new BigCacheError('REQUEST_INVALID', 'An entry is stored whole, without Content-Range.');
  }
  const freshness = freshnessOf(
    { cacheControl: headers['cache-control'], expires: headers.expires },
    nowMs,
  );
  return {
    kind: Kind.raw,
    ...freshness,
    contentType: storedContentType(headers['content-type']),
    expire: null,
    duration: null,
    tags: parseTags(headers['cache-tag'] as string | undefined),
  };
}

/** The coding of the body. Throws MEDIA_TYPE_UNSUPPORTED, and says what is taken (RFC 9110 15.5.16). */
function takenCoding(request: FastifyRequest, reply: FastifyReply): string | undefined {
  try {
    return codingOf(request.raw.headers);
  } catch (error) {
    reply.header('accept-encoding', CODINGS_TAKEN);
    throw error;
  }
}

async function write(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const token = leaseTokenOf(request.raw.headers);
  const meta = { ...metaOf(request, deps.now()), ...leaseCost(token, deps.now()) };
  const only = preconditionOf(request.raw.headers);
  const coding = takenCoding(request, reply);
  const upload = new Upload(deps.uploads, request.raw, reply.raw, deps.config.bodyBytesMax);
  try {
    const body =
      coding === undefined
        ? await bodyOf(request, upload)
        : upload.chunks((pieces) => decoded(pieces, coding, deps.config.bodyBytesMax));
    const stored = await inStore(request, deps.store.put(key, meta, body, only, token));
    const headers = { ...FIXED, etag: plainTag(stored.contentHash) };
    sendHead(
      reply,
      stored.created ? 201 : 204,
      stored.created ? { ...headers, 'content-length': 0 } : headers,
    );
  } finally {
    upload.close();
  }
}

async function remove(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const key = keyAfter(MOUNT, request, 'write');
  const only = preconditionOf(request.raw.headers);
  if (!(await inStore(request, deps.store.delete(key, only)))) {
    throw new BigCacheError('DELETE_MISS');
  }
  deps.counters.delete += 1;
  sendHead(reply, 204, { ...FIXED });
}

export function entryRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: `${MOUNT}*`,
    config: { access: 'read' },
    schema: GET_SCHEMA,
    handler: (request, reply) => show(deps, request, reply),
  });
  app.route({
    method: 'PUT',
    url: `${MOUNT}*`,
    config: { access: 'write', body: RawBody, consumes: ['application/octet-stream', '*/*'] },
    schema: PUT_SCHEMA,
    handler: (request, reply) => write(deps, request, reply),
  });
  app.route({
    method: 'DELETE',
    url: `${MOUNT}*`,
    config: { access: 'write' },
    schema: DELETE_SCHEMA,
    handler: (request, reply) => remove(deps, request, reply),
  });
}
