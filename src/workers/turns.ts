/**
 * The order of the answers on one connection: Node lends the socket to one at a time, so requests that
 * a client has pipelined are handled while their answers cannot leave yet.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import type { Limits } from './limits.ts';

/** Answers that wait behind earlier ones on their connection, by what to do when it ends first. */
const queuedBySocket = new WeakMap<Socket, Set<() => void>>();

/** What may wait on a connection whatever waits on others. */
const QUEUED_SHARE = 32;

export type QueueLimits = Pick<Limits, 'queuedOnConnectionMax' | 'queuedMax'>;

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

/** Node tells an answer that it has been given the socket. */
function whenItsTurn(raw: ServerResponse, callback: () => void): void {
  raw.once('socket', callback);
}

/** How many answers are queued on each connection, and on all of them together. */
export class Queue {
  readonly #limits: QueueLimits;
  readonly #bySocket = new WeakMap<Socket, number>();
  #size = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Counts an answer that is queued until its turn, or the end of its connection; false where too many are. */
  join(raw: ServerResponse, socket: Socket): boolean {
    const before = this.#bySocket.get(socket) ?? 0;
    if (socket.destroyed || before >= this.#max) return false;
    const queued = queuedOn(socket);
    const leave = (): void => {
      if (!queued.delete(leave)) return;
      this.#add(socket, -1);
    };
    queued.add(leave);
    this.#add(socket, 1);
    whenItsTurn(raw, leave);
    return true;
  }

  /** Where very many wait in all, each connection has a fair share, which those who pipeline a little keep to. */
  get #max(): number {
    const { queuedOnConnectionMax, queuedMax } = this.#limits;
    return this.#size < queuedMax ? queuedOnConnectionMax : QUEUED_SHARE;
  }

  #add(socket: Socket, count: number): void {
    this.#size += count;
    this.#bySocket.set(socket, (this.#bySocket.get(socket) ?? 0) + count);
  }
}

/** Whether the answer would wait behind earlier ones on its connection. */
export function isQueued(reply: FastifyReply): boolean {
  return reply.raw.socket === null;
}

/**
 * Waits until it is the turn of an answer that is queued; false when its connection ends before that,
 * and then there is nobody to answer. What a queued answer would hold, it would hold for as long as
 * its client likes, times the requests that fit into a packet.
 */
export function turnOf(request: IncomingMessage, raw: ServerResponse): Promise<boolean> {
  const { socket } = request;
  if (socket.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const queued = queuedOn(socket);
    const leave = (): void => resolve(false);
    queued.add(leave);
    whenItsTurn(raw, () => {
      queued.delete(leave);
      resolve(true);
    });
  });
}
