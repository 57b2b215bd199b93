/**
 * Clients that keep their connections, as a proxy does: each sends one request at a time over its own, and
 * opens another one where an answer says that it ends.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const HEAD_END = '\r\n\r\n';

export interface KeptConnectionsOptions {
  readonly port: number;
  readonly path: string;
  /** What its certificate is checked with, where TLS is spoken. */
  readonly ca?: string;
}

export class KeptConnections {
  answers = 0;
  /** Answers that ended their connection. */
  closings = 0;
  readonly failures: string[] = [];
  readonly #options: KeptConnectionsOptions;
  readonly #clients = new Set<KeptConnection>();

  constructor(options: KeptConnectionsOptions) {
    this.#options = options;
  }

  /** Opens `count` more; resolves when they are open. They send nothing until `run`. */
  async open(count: number): Promise<void> {
    const opened = Array.from({ length: count }, () => {
      const client = new KeptConnection(this.#options, this);
      this.#clients.add(client);
      return client.opened;
    });
    await Promise.all(opened);
  }

  /** Closes those with these local ports. */
  drop(ports: ReadonlySet<number>): void {
    for (const client of this.#clients) {
      if (client.localPort === undefined || !ports.has(client.localPort)) continue;
      client.close();
      this.#clients.delete(client);
    }
  }

  /** Sends for `ms`; resolves with the answers per second once the last one is there. */
  async run(ms: number): Promise<number> {
    const [before, startedAtMs] = [this.answers, performance.now()];
    await Promise.all([...this.#clients].map((client) => client.run(startedAtMs + ms)));
    return ((this.answers - before) * 1000) / (performance.now() - startedAtMs);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

class KeptConnection {
  readonly #options: KeptConnectionsOptions;
  readonly #all: KeptConnections;
  readonly #request: string;
  readonly opened: Promise<void>;
  #socket: Socket;
  #received = '';
  #untilMs = 0;
  #stopped: () => void = () => undefined;

  constructor(options: KeptConnectionsOptions, all: KeptConnections) {
    this.#options = options;
    this.#all = all;
    this.#request = `GET ${options.path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    this.#socket = this.#connect();
    const socket = this.#socket;
    this.opened = new Promise((resolve) => {
      socket.once(options.ca === undefined ? 'connect' : 'secureConnect', resolve);
    });
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  run(untilMs: number): Promise<void> {
    this.#untilMs = untilMs;
    return new Promise((resolve) => {
      this.#stopped = resolve;
      this.#next();
    });
  }

  close(): void {
    this.#socket.removeAllListeners('close').destroy();
  }

  #connect(): Socket {
    const { port, ca } = this.#options;
    const host = '127.0.0.1';
    const socket = ca === undefined ? connect({ port, host }) : connectTls({ port, host, ca });
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('error', (error) => this.#all.failures.push(error.message));
    // Whoever ends a connection without having said so loses what is under way.
    socket.on('close', () => {
      this.#all.failures.push('a connection ended');
      this.#stopped();
    });
    return socket;
  }

  #next(): void {
    if (performance.now() >= this.#untilMs) this.#stopped();
    else this.#socket.write(this.#request);
  }

  #take(bytes: Buffer): void {
    this.#received += bytes.toString('latin1');
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (this.#received.length < headEnd + HEAD_END.length + length) return;
    if (!head.startsWith('HTTP/1.1 200 ')) this.#all.failures.push(head);
    this.#received = '';
    this.#all.answers += 1;
    if (/\r\nconnection: close/i.test(head)) {
      this.#all.closings += 1;
      this.close();
      this.#socket = this.#connect();
    }
    this.#next();
  }
}
