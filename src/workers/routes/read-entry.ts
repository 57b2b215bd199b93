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
  const asked = request.raw.headers;
  const reading = {
    frame: (record: EntryRecord) => {
      const framing = shown.frame(key, record);
      return isShownEncoded(asked, record) ? { ...framing, encoded: true } : framing;
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
  if (!found.found) {
    deps.counters[found.reason === 'expired' ? 'expire' : 'miss'] += 1;
    sendMiss(reply, found.reason, headers);
    return;
  }
  deps.counters.hit += 1;
  deps.savings.noteHit(key, found.record.costMs);
  const { record, content } = found;
  const shownHeaders = shown.headers(record, deps);
  if (record.contentEncoding !== null) {
    shownHeaders['vary'] = 'Accept-Encoding';
    if (isShownEncoded(asked, record)) shownHeaders['content-encoding'] = record.contentEncoding;
  }
  sendContent(reply, shownHeaders, content);
}
