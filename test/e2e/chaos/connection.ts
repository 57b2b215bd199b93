/**
 * One kept connection of a chaos client, whose requests may fail at any moment.
 */
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const TIMEOUT_MS = 20_000;

export class Connection {
  /** Told of every failure on a connection that had been in use, with the connection. */
  onFailure: (socket: Socket | undefined) => void = () => undefined;
  readonly #baseUrl: () => string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #socket: Socket | undefined;

  constructor(baseUrl: () => string) {
    this.#baseUrl = baseUrl;
  }

  get localPort(): number | undefined {
    return this.#socket?.localPort;
  }

  /** The whole answer, or undefined when there was none. */
  async ask(
    method: string,
    path: string,
    body: Buffer | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer | undefined> {
    try {
      return await this.#send(method, path, body, headers);
    } catch {
      this.onFailure(this.#socket);
      return undefined;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    method: string,
    path: string,
    body: Buffer | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': body.length };
      const asked = request(this.#baseUrl() + path, {
        method,
        agent: this.#agent,
        timeout: TIMEOUT_MS,
        headers: { ...headers, ...length },
      });
      asked.on('socket', (socket) => {
        this.#socket = socket;
      });
      asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
      asked.on('error', reject);
      asked.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.complete) {
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
          } else reject(new Error('the answer was cut off'));
        });
      });
      asked.end(body);
    });
  }
}
