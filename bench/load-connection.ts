/** One client connection of the load process, with at most one request under way. */
import { connect, type Socket } from 'node:net';
import { ResponseParser } from './response-parser.ts';

/** All connections read into it: it is emptied before the next one reads. */
const RECEIVE_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

export interface ConnectionEvents {
  onResponse(connection: LoadConnection, status: number): void;
  /** It ended without being closed from here. */
  onFailure(connection: LoadConnection, reason: string): void;
}

export class LoadConnection {
  readonly #port: number;
  readonly #events: ConnectionEvents;
  #socket: Socket;
  readonly opened: Promise<void>;
  /** When its present request began, by performance.now(). */
  startedAtMs = 0;
  #isClosed = false;

  constructor(port: number, events: ConnectionEvents) {
    this.#port = port;
    this.#events = events;
    const socket = this.#connect();
    this.#socket = socket;
    this.opened = new Promise((resolve) => {
      socket.once('connect', resolve);
      socket.once('close', () => resolve());
    });
  }

  #connect(): Socket {
    const parser = new ResponseParser((status, closes) => {
      // The server gives some of its connections up with an answer, to hold no more than others do.
      if (closes) this.#reconnect();
      this.#events.onResponse(this, status);
    });
    const onBytes = (byteLength: number, buffer: Uint8Array): boolean => {
      try {
        parser.push((buffer as Buffer).subarray(0, byteLength));
      } catch (error) {
        this.#fail(socket, String(error));
      }
      return true;
    };
    const onread = { buffer: RECEIVE_BUFFER, callback: onBytes };
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true, onread });
    socket.on('error', (error) => this.#fail(socket, error.message));
    socket.on('close', () => this.#fail(socket, 'the server closed a connection'));
    return socket;
  }

  /** What is sent from now on waits until the new connection is there. */
  #reconnect(): void {
    const ended = this.#socket;
    this.#socket = this.#connect();
    ended.destroy();
  }

  #fail(socket: Socket, reason: string): void {
    if (this.#isClosed || socket !== this.#socket) return;
    this.close();
    this.#events.onFailure(this, reason);
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  send(head: string, body: Buffer | undefined): void {
    if (body === undefined) {
      this.#socket.write(head, 'latin1');
      return;
    }
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }
}
