/**
 * Answers that may take longer than a connection may stand still: some changes take minutes on a large store,
 * during which no byte moves. The limit is the connection's, so it is off as long as one of them is worked for.
 */
import { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';

type Raw = FastifyRequest['raw'];

/** The requests that are worked for, by their connection. */
const workedFor = new WeakMap<Socket, Set<Raw>>();

/** Takes the limit off the connection of `request` until its answer leaves. */
export function allowSlowAnswer({ raw }: FastifyRequest): void {
  const { socket } = raw;
  // A request that is injected without a connection has no such limit.
  if (!(socket instanceof Socket)) return;
  const requests = workedFor.get(socket);
  if (requests === undefined) workedFor.set(socket, new Set([raw]));
  else requests.add(raw);
  socket.setTimeout(0);
}

/** Sets the limit again, where it was taken off, since the answer leaves: its client may not take it as slowly. */
export function endSlowAnswer({ raw }: FastifyRequest, timeoutMs: number): void {
  const { socket } = raw;
  if (socket.timeout !== 0) return;
  const requests = workedFor.get(socket);
  requests?.delete(raw);
  if (requests === undefined || requests.size === 0) socket.setTimeout(timeoutMs);
}
