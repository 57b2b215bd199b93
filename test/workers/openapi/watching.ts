/** Sees every answer of an application, those to injected requests and those on sockets. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { SeenAnswer } from './conformance.ts';

const NO_BODY = Buffer.alloc(0);

type See = (answer: SeenAnswer) => void;

const lowerCased = (headers: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Keeps what is written to `response`, and shows it once all of it has been handed over. */
function tap(request: IncomingMessage, response: ServerResponse, see: See): void {
  const pieces: Buffer[] = [];
  let sent: object = {};
  const keep = (piece: unknown): void => {
    if (typeof piece === 'string') pieces.push(Buffer.from(piece));
    else if (Buffer.isBuffer(piece)) pieces.push(piece);
  };
  const { write, end, writeHead } = response;
  Object.assign(response, {
    writeHead: (...args: unknown[]) => {
      const given = args.at(-1);
      sent = { ...response.getHeaders(), ...(typeof given === 'object' ? given : {}) };
      return Reflect.apply(writeHead, response, args) as unknown;
    },
    write: (...args: unknown[]) => {
      // A copy: what is written in pieces may be used again once one is out.
      keep(Buffer.isBuffer(args[0]) ? Buffer.from(args[0]) : args[0]);
      return Reflect.apply(write, response, args) as unknown;
    },
    end: (...args: unknown[]) => {
      keep(args[0]);
      return Reflect.apply(end, response, args) as unknown;
    },
  });
  response.once('finish', () => {
    const { method = '', url: target = '' } = request;
    const headers = lowerCased(sent);
    // Node sends none of it to HEAD.
    const body = method === 'HEAD' ? NO_BODY : Buffer.concat(pieces);
    see({ method, target, status: response.statusCode, headers, body });
  });
}

/** An answer as it is written to a socket in one piece. */
export function answerOf(text: string, method = '', target = ''): SeenAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers: Record<string, unknown> = {};
  for (const field of fields) {
    const at = field.indexOf(':');
    headers[field.slice(0, at).toLowerCase()] = field.slice(at + 1).trim();
  }
  const body = Buffer.from(rest.join('\r\n\r\n'), 'latin1');
  return { method, target, status: Number(line.split(' ')[1]), headers, body };
}

type Refused = Error & { readonly rawPacket?: unknown };

/** To bytes that never became a request the answer is written past HTTP. */
function tapRefusal(socket: Socket, method: string, see: See): void {
  const { end } = socket;
  Object.assign(socket, {
    end: (...args: unknown[]) => {
      if (typeof args[0] === 'string') see(answerOf(args[0], method));
      return Reflect.apply(end, socket, args) as unknown;
    },
  });
}

/** Has `see` told of each answer that `app` gives. REQUIRES: called before the first request. */
export function watchAnswers(app: FastifyInstance, see: See): void {
  const tapped = (request: IncomingMessage, response: ServerResponse): void =>
    tap(request, response, see);
  app.server.prependListener('request', tapped);
  app.server.prependListener('checkExpectation', tapped);
  app.server.prependListener('clientError', ({ rawPacket }: Refused, socket: Socket) => {
    const method = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1').split(' ', 1)[0] : '';
    tapRefusal(socket, method ?? '', see);
  });
  const { inject } = app;
  Object.assign(app, {
    inject: async (options: InjectOptions) => {
      const answer = await Reflect.apply(inject, app, [options]);
      const { method = '', url: target = '' } = answer.raw.req;
      const { statusCode: status, headers } = answer;
      const body = method === 'HEAD' ? NO_BODY : answer.rawPayload;
      see({ method, target, status, headers: lowerCased(headers), body });
      return answer;
    },
  });
}
