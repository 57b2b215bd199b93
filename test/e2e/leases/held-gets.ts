/**
 * Many GETs held open at once, each on a connection of its own, with as little work of the client's as can
 * be: it shares the processors with the server that it measures.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface HeldAnswer {
  readonly head: string;
  readonly body: Buffer;
  /** By performance.now(). */
  readonly atMs: number;
}

export class HeldGets {
  readonly #sockets: readonly Socket[];
  readonly answers: HeldAnswer[] = [];
  #onAnswer = (): void => undefined;

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  /** Opens the connections; nothing is asked yet. */
  static async open(port: number, count: number): Promise<HeldGets> {
    const sockets: Socket[] = [];
    for (let at = 0; at < count; at += 50) {
      const some = Array.from({ length: Math.min(50, count - at) }, () => {
        const socket = connect(port, '127.0.0.1').setNoDelay(true);
        socket.on('error', () => socket.destroy());
        return socket;
      });
      await Promise.all(some.map((socket) => once(socket, 'connect')));
      sockets.push(...some);
    }
    return new HeldGets(sockets);
  }

  /** Asks on every connection at once. */
  ask(target: string, headers: readonly string[]): void {
    const request = [`GET ${target} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
    for (const socket of this.#sockets) {
      collect(socket, (answer) => {
        this.answers.push(answer);
        this.#onAnswer();
      });
      socket.write(request);
    }
  }

  /** Resolves when so many answers are here; rejects after `withinMs`. */
  async answered(count: number, withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const late = (): void =>
          reject(new Error(`${this.answers.length} of ${count} answers after ${withinMs} ms`));
        timer = setTimeout(late, withinMs);
        this.#onAnswer = () => {
          if (this.answers.length >= count) resolve();
        };
        this.#onAnswer();
      });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The value of a header in a head; undefined where it is not there. */
export function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1]?.trim();
}

function collect(socket: Socket, onAnswer: (answer: HeldAnswer) => void): void {
  const pieces: Buffer[] = [];
  let bytes = 0;
  let expected = Number.POSITIVE_INFINITY;
  let headBytes = 0;
  socket.on('data', (piece) => {
    pieces.push(piece);
    bytes += piece.length;
    if (expected === Number.POSITIVE_INFINITY) {
      const all = Buffer.concat(pieces);
      const end = all.indexOf('\r\n\r\n');
      if (end < 0) return;
      headBytes = end + 4;
      const head = all.subarray(0, end).toString('latin1');
      expected = headBytes + Number(headerOf(head, 'content-length') ?? 0);
    }
    if (bytes < expected) return;
    const all = Buffer.concat(pieces);
    onAnswer({
      head: all.subarray(0, headBytes).toString('latin1'),
      body: all.subarray(headBytes, expected),
      atMs: performance.now(),
    });
  });
}
