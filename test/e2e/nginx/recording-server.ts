/** A server that writes down what reaches it: in place of an application, or of a cache. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';

export interface Recorded {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

export interface Told {
  readonly status: number;
  readonly body?: string;
}

export class RecordingServer {
  readonly requests: Recorded[] = [];
  connections = 0;
  /** How it answers; with the method and the target, where no body is told. */
  told: Told;
  readonly #server: Server;

  private constructor(told: Told) {
    this.told = told;
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        const { method = '', url: target = '', headers } = request;
        this.requests.push({ method, target, headers, body });
        response.writeHead(this.told.status, { 'x-from': 'recorder' });
        response.end(this.told.body ?? `${method} ${target}`);
      });
    });
    this.#server.on('connection', () => {
      this.connections += 1;
    });
  }

  static async start(test: Cleanable, told: Told): Promise<RecordingServer> {
    const server = new RecordingServer(told);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    test.after(async () => {
      server.#server.close();
      server.#server.closeAllConnections();
    });
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    assert.ok(typeof address === 'object' && address !== null);
    return address.port;
  }
}
