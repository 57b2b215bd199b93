/** The reading of one entry over HTTP, the same for every route that shows entries. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EntryRecord } from '../../protocol/record.ts';
import type { RouteDeps } from '../deps.ts';
import { isShownEncoded } from '../http/content-encoding.ts';
import { leaseSecondsOf } from '../http/lease-fields.ts';
import { readLeased } from '../leases/leased-read.ts';
import { sendMiss } from '../plugins/errors.ts';
import { sendContent } from '../send.ts';
import type { Framing } from '../store/store.ts';
import { isQueued, turnOf } from '../turns.ts';
import { countRead } from './count-read.ts';
import { enterStore, keyAfter } from './declare.ts';

/** How a route shows a hit. */
export interface Presentation {
  /** The path before the key. */
  readonly mount: string;
  /** What surrounds the body; throws a BigCacheError for an entry that is not shown here. */
  frame(key: string, record: EntryRecord): Framing;
  /** The headers of the answer, made anew for each. */
  headers(record: EntryRecord, deps: RouteDeps): OutgoingHttpHeaders;
}

/** Answers with the entry that the request names, or with the 404 of its miss; counts which. */
export async function readEntry(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: Presentation,
): Promise<void> {
  const key = keyAfter(shown.mount, request, 'read');
  const mustQueue = isQueued(reply);
  if (mustQueue && !(await turnOf(request.raw, reply.raw))) {
    reply.hijack();
    return;
  }
  const { headers: asked } = request.raw;
  let encoded = false;
  const reading = {
    frame: (record: EntryRecord) => {
      encoded = isShownEncoded(asked, record);
      const framing = shown.frame(key, record);
      return encoded ? { ...framing, encoded } : framing;
    },
  };
  const leaseSeconds = leaseSecondsOf(asked);
  enterStore(request, mustQueue);
  const read =
    leaseSeconds === undefined
      ? { found: await deps.store.get(key, reading), headers: undefined }
      : await readLeased(deps, request, reply, key, leaseSeconds, reading);
  if (read === undefined) return;
  const { found, headers } = read;
  countRead(deps, key, found);
  if (!found.found) {
    sendMiss(reply, found.reason, headers);
    return;
  }
  const { record, content } = found;
  const shownHeaders = shown.headers(record, deps);
  if (record.contentEncoding !== null) {
    shownHeaders['vary'] = 'Accept-Encoding';
    if (encoded) shownHeaders['content-encoding'] = record.contentEncoding;
  }
  sendContent(reply, shownHeaders, content);
}
