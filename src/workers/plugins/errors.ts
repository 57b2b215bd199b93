/**
 * How a worker says no: every error becomes its status and `{"detail","code"}`, and what is no
 * operating error of ours becomes a log line and INTERNAL, without a stack.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import type { MissReason } from '../../protocol/miss.ts';
import { declaredBytes } from '../body/upload.ts';
import { endLingering } from '../connection.ts';
import type { Log } from '../deps.ts';
import { FaultLog } from '../metrics/fault-log.ts';
import { sendBytes } from '../send.ts';
import { JSON_TYPE } from '../wrapper.ts';

declare module 'fastify' {
  interface FastifyInstance {
    faults: FaultLog;
  }
}

/** An unread body of up to this size is drained; a larger one ends the connection. */
const DRAIN_BYTES_MAX = 64 * 1024;

/** RFC 6750 section 3 and RFC 7617 section 2; clients that know only one find it on a line of its own. */
const CHALLENGES = ['Bearer realm="BigCache"', 'Basic realm="BigCache", charset="UTF-8"'];

const bodyOf = (error: BigCacheError): Buffer => Buffer.from(JSON.stringify(error.toBody()));
const MISS_BODY = bodyOf(new BigCacheError('CACHE_MISS'));
const EXPIRED_BODY = bodyOf(new BigCacheError('CACHE_EXPIRED'));

/** Answers 404 to a read that found nothing. Misses are frequent, so no error is made for them. */
export function sendMiss(
  reply: FastifyReply,
  reason: MissReason,
  more: OutgoingHttpHeaders = {},
): void {
  const headers = { 'content-type': JSON_TYPE, 'cache-control': 'no-store', ...more };
  sendBytes(reply, 404, headers, reason === 'expired' ? EXPIRED_BODY : MISS_BODY);
}

/** The operating error behind what fastify, Node or a route threw; undefined for a fault of ours. */
function operatingError(error: FastifyError | BigCacheError): BigCacheError | undefined {
  if (error instanceof BigCacheError) return error;
  if (error.code === 'FST_ERR_BAD_URL') return new BigCacheError('TARGET_INVALID');
  const isCallersMistake = error.statusCode !== undefined && error.statusCode < 500;
  return isCallersMistake ? new BigCacheError('REQUEST_INVALID') : undefined;
}

function leavesBodyUnread(request: IncomingMessage): boolean {
  const declared = declaredBytes(request);
  return !request.readableEnded && (declared === undefined || declared > DRAIN_BYTES_MAX);
}

/** Ends the connection after this answer, so that its client sees the answer. */
function closeLingering(
  request: IncomingMessage,
  response: ServerResponse,
  lingerMs: number,
): void {
  response.setHeader('connection', 'close');
  endLingering(request.socket, lingerMs);
}

/** What a log line says of the request that it is about. */
function named({ id, method }: FastifyRequest): { requestId: string; method: string } {
  return { requestId: id, method };
}

/** Sends errors of every origin as `{"detail","code"}`. */
export function installErrors(app: FastifyInstance, log: Log, lingerMs: number): void {
  const faults = new FaultLog(log);
  app.decorate('faults', faults);
  app.setErrorHandler((thrown: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    let error = operatingError(thrown);
    if (error === undefined) {
      log.error({ err: thrown, ...named(request) }, 'a request failed');
      error = new BigCacheError('INTERNAL');
    } else if (error.code === 'INTERNAL') {
      log.error({ err: error, ...named(request) }, 'a request failed');
    } else if (error.status >= 500 && error.cause !== undefined) {
      faults.note(error.cause, named(request));
    }
    sendError(request, reply, error, lingerMs);
  });
}

/** Answers with `error`; a body that is not worth reading to its end costs its connection. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: BigCacheError,
  lingerMs: number,
): void {
  const { raw } = reply;
  if (raw.headersSent) {
    raw.destroy();
    return;
  }
  if (error.code === 'SHUTTING_DOWN') raw.setHeader('connection', 'close');
  else if (error.code === 'REQUEST_TIMEOUT' || leavesBodyUnread(request.raw)) {
    closeLingering(request.raw, raw, lingerMs);
  }
  if (error.status === 503) raw.setHeader('retry-after', '1');
  if (error.status === 401) raw.setHeader('www-authenticate', CHALLENGES);
  const headers = { 'content-type': JSON_TYPE, 'cache-control': 'no-store' };
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  sendBytes(reply, error.status, headers, bodyOf(error));
}
