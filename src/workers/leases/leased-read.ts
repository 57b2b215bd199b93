/** A read that asks for a lease, over HTTP: waits where it may, and says what came of it. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import { allowScope } from '../access/principal.ts';
import type { RouteDeps } from '../deps.ts';
import { waitSecondsOf } from '../http/lease-fields.ts';
import { allowSlowAnswer } from '../slow-answers.ts';
import type { Hit, Miss, Reading } from '../store/store.ts';

export interface LeasedAnswer {
  readonly found: Hit | Miss;
  /** What the answer says of the lease, whatever it is. */
  readonly headers: OutgoingHttpHeaders;
}

/** Whether the client asks for nothing more. It may read on, or be gone: nobody can tell. */
const hasEnded = ({ destroyed, readableEnded }: Socket): boolean => destroyed || readableEnded;

/**
 * Reads `key` and asks for its lease of `leaseSeconds`. Undefined where the client has gone: then nothing
 * is to be answered. Rejects as `Store.get` does, and with SHUTTING_DOWN.
 */
export async function readLeased(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  key: string,
  leaseSeconds: number,
  reading: Reading,
): Promise<LeasedAnswer | undefined> {
  const { store } = deps;
  const { socket, headers } = request.raw;
  // Who may not store it would only keep others from it.
  allowScope(request, 'write');
  const waitSeconds = waitSecondsOf(headers);
  let leave: (() => void) | undefined;
  let waitBeganAtMs = 0;
  const onWait = (leaveNow: () => void): void => {
    leave = leaveNow;
    waitBeganAtMs = performance.now();
    allowSlowAnswer(request);
    socket.once('end', leaveNow).once('close', leaveNow);
    if (hasEnded(socket)) leaveNow();
  };
  const asked = { leaseMs: leaseSeconds * 1000, waitMs: waitSeconds * 1000, onWait };
  const stopWaiting = (): void => {
    if (leave === undefined) return;
    socket.off('end', leave).off('close', leave);
    request.waitedMs = performance.now() - waitBeganAtMs;
  };
  const leased = await store.getLeased(key, reading, asked).finally(stopWaiting);
  const { found, token: given, retryAfterMs } = leased;
  // Who may be gone might never use it, so whoever waits need not wait for its end.
  const token = hasEnded(socket) ? undefined : given;
  // Where that fails it ends by itself, with its time.
  if (given !== undefined && token === undefined) store.releaseLease(key, given).catch(() => false);
  if (socket.destroyed) {
    if (found.found) found.content.release();
    reply.hijack();
    return undefined;
  }
  if (token === undefined && found.found) return { found, headers: {} };
  if (token === undefined && leave !== undefined && deps.isDraining()) {
    throw new BigCacheError('SHUTTING_DOWN');
  }
  const said: OutgoingHttpHeaders =
    token === undefined
      ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
      : { 'cache-lease-token': token, 'cache-control': 'no-store' };
  if (leave !== undefined) said['preference-applied'] = `wait=${waitSeconds}`;
  return { found, headers: said };
}
