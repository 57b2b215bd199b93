/**
 * A client that sends requests as they are, byte for byte, on a kept connection, and reads the answers. It
 * is strict: an answer without a length, or bytes behind one, are errors.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { SeenAnswer } from '../../workers/openapi/conformance.ts';
import type { GeneratedRequest } from '../../workers/openapi/generated-requests.ts';
import { answerOf } from '../../workers/openapi/watching.ts';

const ANSWER_MAX_MS = 20_000;

function bytesOf({ method, target, headers, body }: GeneratedRequest): Buffer {
  const named = new Set(headers.map(([name]) => name));
  const lines = [`${method} ${target} HTTP/1.1`];
  if (!named.has('host')) lines.push('host: localhost');
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (body !== undefined && !named.has('transfer-encoding')) {
    lines.push(`content-length: ${body.length}`);
  }
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, body]);
}

/** How long the answer is whose head has come, its head included. Throws where it does not say. */
function lengthOf(head: string, method: string): number {
  const status = Number(head.slice(9, 12));
  const headBytes = head.length + 4;
  if (method === 'HEAD' || status === 204 || status === 304) return headBytes;
  const bodyBytes = /\r\ncontent-length: *(\d+)(?:\r\n|$)/i.exec(head)?.[1];
  if (bodyBytes === undefined) throw new Error(`no length: ${head}`);
  return headBytes + Number(bodyBytes);
}

export class RawClient {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends one request and resolves with its answer; rejects where none comes whole. */
  async ask(request: GeneratedRequest): Promise<SeenAnswer> {
    const socket = this.#socket ?? (await this.#connected());
    this.#socket = undefined;
    const { method, target } = request;
    const text = await answered(socket, bytesOf(request), method);
    const answer = answerOf(text, method, target);
    const mayGoOn = answer.headers['connection'] !== 'close' && !socket.destroyed;
    if (mayGoOn) this.#socket = socket;
    else socket.destroy();
    return answer;
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #connected(): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    // Whoever waits for an answer learns of it by the close.
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }
}

function answered(socket: Socket, bytes: Buffer, method: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onClose);
      settle();
    };
    const fail = (why: string): void => {
      socket.destroy();
      finish(() => reject(new Error(`${why}: ${JSON.stringify(text.slice(0, 300))}`)));
    };
    const onClose = (): void => fail('the connection was closed');
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const headEnd = text.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      try {
        const length = lengthOf(text.slice(0, headEnd), method);
        if (text.length === length) finish(() => resolve(text));
        else if (text.length > length) fail('bytes behind the answer');
      } catch (error) {
        fail(String(error));
      }
    };
    const timer = setTimeout(() => fail('no answer in time'), ANSWER_MAX_MS);
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.write(bytes);
  });
}
