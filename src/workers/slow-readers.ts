/**
 * Cuts clients that take their answers too slowly. An answer holds its body until it has left, and Node's limit on
 * connections that stand still starts anew with each byte: a byte now and then would hold it for ever.
 */
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from './deps.ts';
import type { Limits } from './limits.ts';

/** What of a socket is looked at. */
type Sending = Pick<Socket, 'writableLength' | 'bytesWritten' | 'destroy'>;

type SendLimits = Pick<Limits, 'sendStallMs' | 'sendBytesPerSecondMin' | 'sendCheckMs'>;

interface Progress {
  /** Bytes of the writes that the client has taken whole. */
  readonly takenBytes: number;
  readonly sinceMs: number;
}

export class SlowReaders {
  readonly #sockets: ReadonlySet<Sending>;
  readonly #limits: SendLimits;
  readonly #now: () => number;
  readonly #progress = new WeakMap<Sending, Progress>();
  readonly #onCut: () => void;

  /** `onCut` is told of each that is cut. */
  constructor(
    sockets: ReadonlySet<Sending>,
    limits: SendLimits,
    onCut: () => void,
    now: () => number = () => performance.now(),
  ) {
    this.#sockets = sockets;
    this.#limits = limits;
    this.#onCut = onCut;
    this.#now = now;
  }

  /** Looks at all sockets. Called by a timer, and by tests. */
  check(): void {
    const nowMs = this.#now();
    for (const socket of this.#sockets) {
      if (!this.#isTooSlow(socket, nowMs)) continue;
      this.#onCut();
      socket.destroy();
    }
  }

  /** A write is taken whole or not at all, as far as Node tells, so a long one is given its time. */
  #isTooSlow(socket: Sending, nowMs: number): boolean {
    const waitingBytes = socket.writableLength;
    if (waitingBytes === 0) {
      this.#progress.delete(socket);
      return false;
    }
    const takenBytes = socket.bytesWritten - waitingBytes;
    const before = this.#progress.get(socket);
    if (before?.takenBytes !== takenBytes) {
      this.#progress.set(socket, { takenBytes, sinceMs: nowMs });
      return false;
    }
    const { sendStallMs, sendBytesPerSecondMin } = this.#limits;
    return nowMs - before.sinceMs > sendStallMs + (1000 * waitingBytes) / sendBytesPerSecondMin;
  }
}

/** Looks at the sockets of `app` now and then until it closes. */
export function cutSlowReaders(
  app: FastifyInstance,
  sockets: ReadonlySet<Socket>,
  { limits, traffic }: Pick<RouteDeps, 'limits' | 'traffic'>,
): void {
  const slow = new SlowReaders(sockets, limits, () => {
    traffic.counts.connectionsCut += 1;
  });
  const timer = setInterval(() => slow.check(), limits.sendCheckMs).unref();
  app.addHook('onClose', async () => clearInterval(timer));
}
