/**
 * A command's end of the control socket: asks the server that runs on a directory, if one does.
 */
import { connect, type Socket } from 'node:net';
import { CannotRunError } from '../exit.ts';
import { controlPath } from './control-path.ts';
import {
  type ControlProgress,
  type ControlRequest,
  type ControlResults,
  parseAnswer,
} from './messages.ts';

/** Nobody listens: no socket, or one that a killed server left behind. */
const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ControlProgress) => void;
}

/** A connection to the server that runs on a directory. */
export class ControlClient {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
  }

  /**
   * Connects to the server of this directory, an absolute path; undefined when none runs there. Throws
   * a CannotRunError when it belongs to another user.
   */
  static async connect(directory: string): Promise<ControlClient | undefined> {
    const place = await controlPath(directory).catch(unlessNobody);
    if (place === undefined) return undefined;
    try {
      return new ControlClient(await connected(place.path));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== undefined && NOBODY.has(code)) return undefined;
      const why = code === 'EACCES' ? 'run the command as the user of the server' : message;
      throw new CannotRunError(`the server of ${directory} cannot be reached: ${why}`, {
        cause: error,
      });
    } finally {
      await place.close();
    }
  }

  /**
   * Asks for one thing; once. Throws a CannotRunError when it is refused or the server ends meanwhile.
   * The end of the connection, and so the abort of `signal`, cancels what was asked for; that throws
   * the reason of the signal.
   */
  async ask<Op extends ControlRequest['op']>(
    request: Extract<ControlRequest, { op: Op }>,
    { signal, onProgress = () => undefined }: AskOptions = {},
  ): Promise<ControlResults[Op]> {
    const end = (): void => this.close();
    signal?.addEventListener('abort', end);
    try {
      // One that came before is told to no listener.
      signal?.throwIfAborted();
      return await this.#ask(request, onProgress);
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      signal?.removeEventListener('abort', end);
      this.close();
    }
  }

  async #ask<Op extends ControlRequest['op']>(
    request: Extract<ControlRequest, { op: Op }>,
    onProgress: (progress: ControlProgress) => void,
  ): Promise<ControlResults[Op]> {
    this.#socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of this.#lines()) {
      const answer = parseAnswer(line);
      if (answer === undefined) throw new CannotRunError('the server gave an answer of no sense');
      if ('progress' in answer) {
        onProgress(answer.progress);
        continue;
      }
      if ('error' in answer) throw new CannotRunError(answer.error.detail);
      return answer.result as ControlResults[Op];
    }
    throw new CannotRunError(`the server ended before the ${request.op} was done`);
  }

  /** The lines that come, until one of the two ends the connection, however it does. */
  async *#lines(): AsyncGenerator<string> {
    let text = '';
    this.#socket.setEncoding('utf8');
    try {
      for await (const chunk of this.#socket) {
        const lines = (text + chunk).split('\n');
        text = lines.pop() ?? '';
        yield* lines;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }

  /** Ends the connection, and so cancels what was asked for. */
  close(): void {
    this.#socket.destroy();
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function unlessNobody(error: NodeJS.ErrnoException): undefined {
  if (error.code === undefined || !NOBODY.has(error.code)) throw error;
}
