/**
 * Many GETs held open at once, each on a connection of its own, with as little work of the client's as can
 * be: it shares the processors with the server that it measures.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class HeldAnswer {
  readonly #pieces: readonly Buffer[];
  /** When it was whole, by performance.now(). */
  readonly atMs: number;

  constructor(pieces: readonly Buffer[], atMs: number) {
    this.#pieces = pieces;
    this.atMs = atMs;
  }

  get head(): string {
    const all = Buffer.concat(this.#pieces);
    return all.subarray(0, all.indexOf('\r\n\r\n')).toString('latin1');
  }

  get body(): Buffer {
    const all = Buffer.concat(this.#pieces);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  }
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

/** Copies nothing before the answer is whole: the client's work is in every figure. */
function collect(socket: Socket, onAnswer: (answer: HeldAnswer) => void): void {
  const pieces: Buffer[] = [];
  let bytes = 0;
  let expected = Number.POSITIVE_INFINITY;
  socket.on('data', (piece) => {
    pieces.push(piece);
    bytes += piece.length;
    if (expected === Number.POSITIVE_INFINITY) {
      const start = pieces.length === 1 ? piece : Buffer.concat(pieces);
      const end = start.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = start.subarray(0, end).toString('latin1');
      expected = end + 4 + Number(headerOf(head, 'content-length') ?? 0);
    }
    if (bytes >= expected) onAnswer(new HeldAnswer(pieces, performance.now()));
  });
}
