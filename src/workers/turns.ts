/**
 * The order of the answers on one connection: Node lends the socket to one at a time, so requests that
 * a client has pipelined are handled while their answers cannot leave yet.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

/** Answers that wait behind earlier ones on their connection, by what to do when it ends first. */
const queuedBySocket = new WeakMap<Socket, Set<() => void>>();

/**
 * Requests that may wait for their turn on one connection, and on all of a worker together. Node reads on
 * while answers have not begun, so a client could have any number wait behind one that takes long.
 */
const QUEUED_MAX = 1024;
const QUEUED_IN_ALL_MAX = 16_384;
let queuedInAll = 0;

/** The callbacks of the answers queued on `socket`; all are called when it closes. */
function queuedOn(socket: Socket): Set<() => void> {
  let queued = queuedBySocket.get(socket);
  if (queued === undefined) {
    const callbacks = new Set<() => void>();
    queuedBySocket.set(socket, callbacks);
    socket.once('close', () => {
      for (const callback of callbacks) callback();
    });
    queued = callbacks;
  }
  return queued;
}

/**
 * Calls `callback` when the answer has left or its connection has ended. An answer that leaves emits
 * `close` after `finish`, one that is cut off emits `close` alone, and one that is still queued behind
 * others when the connection ends emits nothing at all.
 */
export function whenClosed(raw: ServerResponse, socket: Socket, callback: () => void): void {
  if (raw.socket !== null) {
    // It is emitted once, and `once` costs a closure more.
    raw.on('close', callback);
    return;
  }
  const queued = queuedOn(socket);
  queued.add(callback);
  raw.once('close', () => {
    queued.delete(callback);
    callback();
  });
}

/** Whether the answer would wait behind earlier ones on its connection. */
export function isQueued(reply: FastifyReply): boolean {
  return reply.raw.socket === null;
}

/**
 * Waits until it is the turn of an answer that is queued; false when its connection ends before that,
 * and then there is nobody to answer. What a queued answer would hold, it would hold for as long as
 * its client likes, times the requests that fit into a packet. A connection with too many is ended.
 */
export function turnOf(request: IncomingMessage, raw: ServerResponse): Promise<boolean> {
  const { socket } = request;
  if (socket.destroyed) return Promise.resolve(false);
  const queued = queuedOn(socket);
  if (queued.size >= QUEUED_MAX || queuedInAll >= QUEUED_IN_ALL_MAX) {
    socket.destroy();
    return Promise.resolve(false);
  }
  return new Promise((resolve) => {
    const end = (isItsTurn: boolean): void => {
      if (!queued.delete(leave)) return;
      queuedInAll -= 1;
      resolve(isItsTurn);
    };
    const leave = (): void => end(false);
    queued.add(leave);
    queuedInAll += 1;
    // Node tells an answer that it has been given the socket.
    raw.once('socket', () => end(true));
  });
}
