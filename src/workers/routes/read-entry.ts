/** The reading of one entry over HTTP, the same for every route that shows entries. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EntryRecord } from '../../protocol/record.ts';
import type { RouteDeps } from '../deps.ts';
import { sendMiss } from '../plugins/errors.ts';
import { sendContent } from '../send.ts';
import type { Framing } from '../store/store.ts';
import { isQueued, turnOf } from '../turns.ts';
import { keyAfter } from './declare.ts';

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
  if (isQueued(reply) && !(await turnOf(request.raw, reply.raw))) {
    reply.hijack();
    return;
  }
  const found = await deps.store.get(key, { frame: (record) => shown.frame(key, record) });
  if (!found.found) {
    deps.counters[found.reason === 'expired' ? 'expire' : 'miss'] += 1;
    sendMiss(reply, found.reason);
    return;
  }
  deps.counters.hit += 1;
  sendContent(reply, shown.headers(found.record, deps), found.content);
}
