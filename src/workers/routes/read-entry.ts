/**
 * The reading of one entry over HTTP, the same for every route that shows entries. A hit out of what the
 * worker holds is answered at once: no promise is made for it.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EntryRecord } from '../../protocol/record.ts';
import type { RouteDeps } from '../deps.ts';
import { isShownEncoded } from '../http/content-encoding.ts';
import { leaseSecondsOf } from '../http/lease-fields.ts';
import { readLeased } from '../leases/leased-read.ts';
import { sendMiss } from '../plugins/errors.ts';
import { sendContent } from '../send.ts';
import type { Framing, Hit, Miss, Reading } from '../store/store.ts';
import { isQueued, turnOf } from '../turns.ts';
import { countRead } from './count-read.ts';
import { enterStore, keyAfter } from './declare.ts';

/** A read that a request asks for, and what is done with what it finds. */
export interface EntryRead {
  readonly key: string;
  readonly reading: Reading;
  /** Answers the request; `leaseHeaders` are what the answer says of a lease, where one was asked for. */
  answer(found: Hit | Miss, leaseHeaders: OutgoingHttpHeaders | undefined): void;
}

/** Reads and answers: when the turn of the request has come, at once where nothing is waited for. */
export function readAndAnswer(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  read: EntryRead,
): Promise<void> | undefined {
  if (isQueued(reply)) return readInTurn(deps, request, reply, read);
  return readNow(deps, request, reply, read, false);
}

async function readInTurn(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  read: EntryRead,
): Promise<void> {
  if (await turnOf(request.raw, reply.raw)) await readNow(deps, request, reply, read, true);
  else reply.hijack();
}

function readNow(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  read: EntryRead,
  hasQueued: boolean,
): Promise<void> | undefined {
  const { key, reading } = read;
  const leaseSeconds = leaseSecondsOf(request.raw.headers);
  enterStore(request, hasQueued);
  if (leaseSeconds !== undefined) return readForLease(deps, request, reply, read, leaseSeconds);
  const found = deps.store.get(key, reading);
  if (found instanceof Promise) return found.then((late) => finish(deps, read, late, undefined));
  finish(deps, read, found, undefined);
  return undefined;
}

async function readForLease(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  read: EntryRead,
  leaseSeconds: number,
): Promise<void> {
  const leased = await readLeased(deps, request, reply, read.key, leaseSeconds, read.reading);
  if (leased !== undefined) finish(deps, read, leased.found, leased.headers);
}

function finish(
  deps: RouteDeps,
  read: EntryRead,
  found: Hit | Miss,
  leaseHeaders: OutgoingHttpHeaders | undefined,
): void {
  countRead(deps, read.key, found);
  read.answer(found, leaseHeaders);
}

/** How a route of the original's face shows a hit. */
export interface Presentation {
  /** The path before the key. */
  readonly mount: string;
  /** What surrounds the body; throws a BigCacheError for an entry that is not shown here. */
  frame(key: string, record: EntryRecord): Framing;
  /** The headers of the answer, made anew for each. */
  headers(record: EntryRecord, deps: RouteDeps): OutgoingHttpHeaders;
}

/** Answers with the entry that the request names, or with the 404 of its miss; counts which. */
export function readEntry(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: Presentation,
): Promise<void> | undefined {
  const key = keyAfter(shown.mount, request, 'read');
  const { headers: asked } = request.raw;
  let encoded = false;
  return readAndAnswer(deps, request, reply, {
    key,
    reading: {
      frame: (record) => {
        encoded = isShownEncoded(asked, record);
        const framing = shown.frame(key, record);
        return encoded ? { ...framing, encoded } : framing;
      },
    },
    answer: (found, leaseHeaders) => {
      if (!found.found) {
        sendMiss(reply, found.reason, leaseHeaders);
        return;
      }
      const { record, content } = found;
      const headers = shown.headers(record, deps);
      if (record.contentEncoding !== null) {
        headers['vary'] = 'Accept-Encoding';
        if (encoded) headers['content-encoding'] = record.contentEncoding;
      }
      sendContent(reply, headers, content);
    },
  });
}
