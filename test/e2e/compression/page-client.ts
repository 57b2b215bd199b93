/**
 * A client of many connections for the tests of compression and for benchmarks: sends pages, and fetches them
 * undecoded. An answer of 300 or more is an error.
 */
import { Agent, type IncomingMessage, request } from 'node:http';

const CONNECTIONS = 16;

export interface Fetched {
  readonly bytes: Buffer;
  readonly encoding: string | undefined;
}

export class PageClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  close(): void {
    this.#agent.destroy();
  }

  async put(path: string, body: Buffer): Promise<void> {
    await this.#ask('PUT', path, { 'content-type': 'text/html' }, body);
  }

  async post(path: string, body: string): Promise<void> {
    await this.#ask('POST', path, { 'content-type': 'application/json' }, Buffer.from(body));
  }

  /** `accepted` is what the client says of encodings; nothing where it is left out. */
  async get(path: string, accepted?: string): Promise<Fetched> {
    return await this.#ask(
      'GET',
      path,
      accepted === undefined ? {} : { 'accept-encoding': accepted },
    );
  }

  /** Does `work` for every item, over all connections at once. */
  async all<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const rest = items.values();
    const lanes = Array.from({ length: CONNECTIONS }, async () => {
      for (const item of rest) await work(item);
    });
    await Promise.all(lanes);
  }

  #ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Buffer,
  ): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      const take = (answer: IncomingMessage): void => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () => {
          const bytes = Buffer.concat(pieces);
          if ((answer.statusCode ?? 500) >= 300) reject(new Error(`${path}: ${bytes}`));
          else resolve({ bytes, encoding: answer.headers['content-encoding'] });
        });
      };
      const sent = request(`${this.#url}${path}`, { method, headers, agent: this.#agent }, take);
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
