/**
 * Gives up a surplus of kept connections: an answer says `Connection: close`, so its client opens another
 * one, which any worker may accept.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { endLingering } from '../connection.ts';
import type { RouteDeps } from '../deps.ts';
import { isQueued } from '../turns.ts';

/**
 * Lets answers end their connections while there is a surplus. A connection on which a request has come
 * before the answer to the one before is left alone: what its client has sent ahead would be lost.
 * REQUIRES: called after `installMetering`, whose time of arrival is looked at.
 */
export function installRebalancing(
  app: FastifyInstance,
  { surplus, traffic, limits }: RouteDeps,
): void {
  const pipelining = new WeakSet<Socket>();
  const ending = new WeakMap<Socket, ServerResponse>();

  /** Keeps a connection on which requests come ahead, unless its client is already told that it ends. */
  const keepOpen = (socket: Socket): boolean => {
    pipelining.add(socket);
    const answer = ending.get(socket);
    if (answer === undefined) return true;
    if (answer.headersSent) return false;
    answer.shouldKeepAlive = true;
    ending.delete(socket);
    return true;
  };

  /** Node puts `Connection: close` into the head, whoever sends it. */
  const endWith = ({ raw }: FastifyReply, socket: Socket): void => {
    ending.set(socket, raw);
    raw.shouldKeepAlive = false;
    endLingering(socket, limits.lingerMs);
    raw.once('finish', () => {
      if (!raw.shouldKeepAlive) traffic.counts.connectionsRebalanced += 1;
    });
  };

  const mayEnd = (request: FastifyRequest, { raw }: FastifyReply): boolean =>
    raw.shouldKeepAlive && !pipelining.has(request.raw.socket) && surplus.take(request.arrivedAtMs);

  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    if (socket.writableEnded || (isQueued(reply) && !keepOpen(socket))) {
      // It is not handled, so that its client may send it elsewhere (RFC 9112 section 9.6).
      reply.hijack();
      return;
    }
    if (request.arrivedAtMs < surplus.closesFromMs || !mayEnd(request, reply)) {
      done();
      return;
    }
    // In a turn of the loop it shows whether more has come with this request.
    setImmediate(() => {
      if (!pipelining.has(socket)) endWith(reply, socket);
      done();
    });
  });
}
