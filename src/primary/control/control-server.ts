/**
 * The running server's ear for commands: a socket in the store's directory that only the server's own
 * user may open. Run by the primary. Whatever arrives there, the worst that it does is to lose its own
 * connection.
 */
import { unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { BigCacheError } from '../../protocol/errors.ts';
import { CannotRunError } from '../exit.ts';
import { Cancelled } from '../store/backup/refusals.ts';
import { type ControlPath, controlPath } from './control-path.ts';
import {
  type ControlAnswer,
  type ControlFailure,
  type ControlProgress,
  type ControlRequest,
  type ControlResults,
  LINE_BYTES_MAX,
  parseRequest,
} from './messages.ts';

/** What the server can be asked for. `signal` ends the work when the one who asked is gone. */
export interface ControlService {
  serve(
    request: ControlRequest,
    signal: AbortSignal,
    onProgress: (progress: ControlProgress) => void,
  ): Promise<ControlResults[keyof ControlResults]>;
}

export interface ControlServerOptions {
  /** The store's directory; its claim is held by this process. */
  readonly directory: string;
  readonly service: ControlService;
  readonly log: Logger;
  /** A connection must have sent its request by then. */
  readonly requestMs?: number;
}

const CONNECTIONS_MAX = 8;
const REQUEST_MS = 5000;
/** Progress is left out while so much of an answer waits to be read. */
const UNREAD_BYTES_MAX = 64 * 1024;
const OWNER_ONLY = 0o177;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: Server;
  readonly #path: ControlPath;
  readonly #sockets = new Set<Socket>();
  /** The work that is under way, so that a stop can wait for it. */
  readonly #work = new Set<Promise<void>>();
  #isStopping = false;

  private constructor(options: ControlServerOptions, path: ControlPath) {
    this.#options = options;
    this.#path = path;
    this.#server = createServer((socket) => this.#connected(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /**
   * Listens in the directory, in the place of a socket that a killed server left. Rejects with an error
   * of the system where there can be no socket. REQUIRES: this process alone owns the directory.
   */
  static async start(options: ControlServerOptions): Promise<ControlServer> {
    const path = await controlPath(options.directory);
    try {
      const server = new ControlServer(options, path);
      await unlink(path.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
      await server.#listen();
      return server;
    } catch (error) {
      await path.close();
      throw error;
    }
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      // The socket is made in this turn, so no other file gets this mask.
      const mask = process.umask(OWNER_ONLY);
      try {
        this.#server.listen({ path: this.#path.path, exclusive: true }, () => {
          this.#server.off('error', reject);
          this.#server.on('error', (error) => {
            this.#options.log.error({ err: error }, 'the control socket failed');
          });
          resolve();
        });
      } finally {
        process.umask(mask);
      }
    });
  }

  /** Cancels what is under way, and removes the socket. Resolves when that is done. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([closed, ...this.#work]);
    await this.#path.close();
  }

  #connected(socket: Socket): void {
    if (this.#isStopping) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      const why = this.#isStopping ? 'the server is shutting down' : 'the command has ended';
      gone.abort(new Cancelled('work', why));
    });
    // One that sends nothing, or reads none of its answer, does not keep its place.
    const deadline = setTimeout(() => socket.destroy(), this.#options.requestMs ?? REQUEST_MS);
    let received = Buffer.alloc(0);
    let isTaken = false;
    socket.on('data', (chunk: Buffer) => {
      if (isTaken) {
        // A connection has one request: what else comes ends it.
        socket.destroy();
        return;
      }
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\n');
      if (end < 0 && received.length <= LINE_BYTES_MAX) return;
      isTaken = true;
      clearTimeout(deadline);
      const isOneLine = end >= 0 && end <= LINE_BYTES_MAX && end === received.length - 1;
      const line = isOneLine ? received.toString('utf8', 0, end) : undefined;
      received = Buffer.alloc(0);
      const work = this.#answer(socket, line, gone.signal).finally(() => this.#work.delete(work));
      this.#work.add(work);
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => clearTimeout(deadline));
  }

  async #answer(socket: Socket, line: string | undefined, gone: AbortSignal): Promise<void> {
    const request = line === undefined ? 'a request is one line, not too long' : parseRequest(line);
    if (typeof request === 'string') {
      this.#end(socket, { error: { code: 'REQUEST_INVALID', detail: request } });
      return;
    }
    try {
      const result = await this.#options.service.serve(request, gone, (progress) => {
        if (socket.writableLength <= UNREAD_BYTES_MAX) write(socket, { progress });
      });
      this.#end(socket, { result });
    } catch (error) {
      this.#end(socket, { error: this.#failureOf(error, request) });
    }
  }

  #failureOf(error: unknown, { op }: ControlRequest): ControlFailure {
    if (error instanceof BigCacheError) return { code: error.code, detail: error.message };
    if (error instanceof CannotRunError) return { code: 'CANNOT_RUN', detail: error.message };
    // A defect of a backup is no reason to end the cache.
    this.#options.log.error({ err: error, op }, 'a command failed');
    return { code: 'INTERNAL', detail: `the ${op} failed; the log of the server says why` };
  }

  #end(socket: Socket, answer: ControlAnswer): void {
    write(socket, answer);
    socket.end();
    setTimeout(() => socket.destroy(), this.#options.requestMs ?? REQUEST_MS).unref();
  }
}

function write(socket: Socket, answer: ControlAnswer): void {
  if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
}
