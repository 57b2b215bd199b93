/** How routes are declared here: GET together with HEAD, and keys out of raw targets. */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import { type KeyUse, keyFromTarget } from '../../protocol/key.ts';
import { allowKey } from '../access/principal.ts';
import { sendBytes, writeHead } from '../send.ts';
import { JSON_TYPE } from '../wrapper.ts';

/**
 * Declares a GET route and its HEAD, which Node answers without the body. Routes that change something
 * are never declared with this: fastify's own HEAD routes would run them.
 */
export function getAndHead(app: FastifyInstance, route: Omit<RouteOptions, 'method'>): void {
  app.route({ ...route, method: 'GET' });
  app.route({ ...route, method: 'HEAD', schema: { hide: true } });
}

/**
 * What follows `mount` in the request's target, query included, as it was received.
 *
 * Throws BigCacheError NOT_FOUND where the mount itself was written with triplets, which the router
 * decodes: `/c%61che/a`.
 */
export function targetAfter(mount: string, request: FastifyRequest): string {
  const target = request.raw.url ?? '';
  if (!target.startsWith(mount)) throw new BigCacheError('NOT_FOUND');
  return target.slice(mount.length);
}

/**
 * The canonical key after `mount` in the request's target, which the asker may touch.
 *
 * Throws BigCacheError: what keyFromTarget and targetAfter throw, and KEY_REFUSED.
 */
export function keyAfter(mount: string, request: FastifyRequest, use: KeyUse): string {
  const key = keyFromTarget(targetAfter(mount, request), use);
  allowKey(request, key);
  return key;
}

/**
 * Begins the store's time of a read. It ends with the answer, which follows at once, and it began with the
 * request, unless that had to queue: so hits, which are many, need no look at the clock for it.
 */
export function enterStore(request: FastifyRequest, hasQueued: boolean): void {
  request.storeMs = -(hasQueued ? performance.now() : request.arrivedAtMs);
}

/** Waits for the store, and has the time counted as the store's. */
export async function inStore<T>(request: FastifyRequest, working: Promise<T>): Promise<T> {
  request.storeMs -= performance.now();
  try {
    return await working;
  } finally {
    request.storeMs += performance.now();
  }
}

/** Answers 200 with `value` as JSON. */
export function sendJson(reply: FastifyReply, value: unknown): void {
  const headers = { 'content-type': JSON_TYPE, 'cache-control': 'no-store' };
  sendBytes(reply, 200, headers, Buffer.from(JSON.stringify(value)));
}

const RETURN_MINIMAL = /(?:^|[\s,;])return=minimal(?:$|[\s,;])/i;

/** Whether the client asked for an answer without a body (RFC 7240 section 4.2). */
export function prefersMinimal(request: FastifyRequest): boolean {
  const { prefer } = request.headers;
  return typeof prefer === 'string' && RETURN_MINIMAL.test(prefer);
}

/** Answers 204 to a write whose client asked for no more. */
export function sendMinimal(reply: FastifyReply): void {
  reply.hijack();
  writeHead(reply, 204, {
    'preference-applied': 'return=minimal',
    'cache-control': 'no-store',
  });
  reply.raw.end();
}
