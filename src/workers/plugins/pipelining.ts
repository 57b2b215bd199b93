/**
 * Bounds the requests that are handled while their answers wait behind others. Node reads on as long as answers
 * have not begun, so a client could send any number of requests behind one that takes long.
 */
import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../deps.ts';
import { isQueued, Queue } from '../turns.ts';

/** Ends connections with too many, and counts them. REQUIRES: called before any route is declared. */
export function installPipelining(
  app: FastifyInstance,
  { limits, traffic }: Pick<RouteDeps, 'limits' | 'traffic'>,
): void {
  const queue = new Queue(limits);
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    if (!isQueued(reply) || queue.join(reply.raw, socket)) {
      done();
      return;
    }
    reply.hijack();
    if (!socket.destroyed) traffic.counts.connectionsCut += 1;
    socket.destroy();
  });
}
