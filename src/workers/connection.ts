/**
 * What happens on a connection before and beside fastify: answers to bytes that never became a
 * request, and to expectations.
 */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { BigCacheError } from '../protocol/errors.ts';
import type { HttpSocket } from './open-sockets.ts';
import { JSON_TYPE } from './wrapper.ts';

/** What Node's parser reports, by its code; everything else is REQUEST_INVALID. */
function parserError(code: string | undefined): BigCacheError {
  if (code === 'HPE_HEADER_OVERFLOW') return new BigCacheError('HEADERS_TOO_LARGE');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new BigCacheError('BODY_TOO_LARGE');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new BigCacheError('REQUEST_TIMEOUT');
  if (code === 'HPE_INVALID_URL') return new BigCacheError('TARGET_INVALID');
  return new BigCacheError('REQUEST_INVALID');
}

/** Whether an answer on this socket has begun; the same look that Node's own handler takes. */
function isAnswering(socket: Socket & { _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}

/** A fault of what was sent, as opposed to one of the connection, or of TLS before HTTP began. */
function isFaultOfRequest(code: string | undefined): boolean {
  return code?.startsWith('HPE_') === true || code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/** What Node's parser says of bytes that it refused, with the last that it was given. */
type ParserFault = Error & { readonly code?: string; readonly rawPacket?: unknown };

/** Whether HEAD was asked, whose answers have no body; a line that came apart from the fault is not seen. */
function isToHead({ rawPacket }: ParserFault): boolean {
  return Buffer.isBuffer(rawPacket) && rawPacket.toString('latin1', 0, 5) === 'HEAD ';
}

/** Answers what could not be parsed, then closes; where an answer has begun it only closes. */
export function answerClientError(error: ParserFault, socket: Socket): void {
  if (!isFaultOfRequest(error.code) || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const refusal = parserError(error.code);
  const body = JSON.stringify(refusal.toBody());
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n` +
      `Content-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nConnection: close\r\n\r\n${isToHead(error) ? '' : body}`,
    () => socket.destroy(),
  );
}

function answerBadExpectation(request: IncomingMessage, response: ServerResponse): void {
  const body = JSON.stringify(new BigCacheError('EXPECTATION_FAILED').toBody());
  response.writeHead(417, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/**
 * Leaves `100 Continue` to whoever reads the body, so that a body which is refused is never sent, and
 * refuses every other expectation (RFC 9110 section 10.1.1).
 */
export function installExpectations(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
  server.on('checkExpectation', answerBadExpectation);
}

/**
 * Answers what a client has asked before it ended its side of the connection (RFC 9112 section 9.6). Node
 * would end the connection at once, and take back every answer that was not ready by then.
 */
export function answerAfterEnd(server: Server): void {
  Object.assign(server, { httpAllowHalfOpen: true });
}

/**
 * Has Node, after the last answer, end the connection in the way of RFC 9112 section 9.6: the sending side
 * first, then, once the client had time to read the answer, the receiving side. A plain close with unread
 * bytes would reset the connection, and the client might never see the answer.
 */
export function endLingering(socket: Socket, lingerMs: number): void {
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  };
}

/** How often connections that became idle are looked for while the server stops. */
const IDLE_CHECK_MS = 50;

/**
 * Closes connections as they become idle while the server stops. Node closes those that are idle when
 * the stop begins; the others would be kept for the keep-alive time, and the stop with them.
 */
export function closeIdleOnClose(app: FastifyInstance): void {
  app.addHook('preClose', (done) => {
    const { server } = app;
    const timer = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    server.once('close', () => clearInterval(timer));
    if (!server.listening) clearInterval(timer);
    done();
  });
}

/** How long a connection on which no request has come may stay when the server stops. */
const SILENT_AT_STOP_MS = 1000;

/**
 * Cuts, while the server stops, connections on which nobody has asked for anything: new ones, those in
 * the middle of a head or of a TLS handshake. Node takes none of them for idle, and would wait.
 */
export function cutSilentOnClose(app: FastifyInstance, sockets: ReadonlySet<HttpSocket>): void {
  app.addHook('preClose', (done) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) if (!socket._httpMessage) socket.destroy();
    }, SILENT_AT_STOP_MS);
    app.server.once('close', () => clearTimeout(timer));
    if (!app.server.listening) clearTimeout(timer);
    done();
  });
}
