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
  readonly #socket: Socket;
  readonly opened: Promise<void>;
  /** When its present request began, by performance.now(). */
  startedAtMs = 0;
  #isClosed = false;

  constructor(port: number, events: ConnectionEvents) {
    const fail = (reason: string): void => {
      if (this.#isClosed) return;
      this.close();
      events.onFailure(this, reason);
    };
    const parser = new ResponseParser((status) => events.onResponse(this, status));
    const onBytes = (byteLength: number, buffer: Uint8Array): boolean => {
      try {
        parser.push((buffer as Buffer).subarray(0, byteLength));
      } catch (error) {
        fail(String(error));
      }
      return true;
    };
    const onread = { buffer: RECEIVE_BUFFER, callback: onBytes };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.opened = new Promise((resolve) => {
      this.#socket.once('connect', resolve);
      this.#socket.once('close', () => resolve());
    });
    this.#socket.on('error', (error) => fail(error.message));
    this.#socket.on('close', () => fail('the server closed a connection'));
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
