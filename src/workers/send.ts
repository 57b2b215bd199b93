/**
 * The sending of answers past fastify's own reply pipeline, which costs some 13 us more per answer:
 * small ones at once, the body of an entry with its slab given back exactly once. A client that
 * takes nothing of its answer is cut by the timeout of its connection.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { BigCacheError } from '../protocol/errors.ts';
import { SegmentDamage } from '../segments/faults.ts';
import { endSlowAnswer } from './slow-answers.ts';
import type { Content } from './store/store.ts';
import { whenClosed } from './turns.ts';

/**
 * Writes the head, and has the answer measured. While the server stops, the connection ends with
 * this answer, so that no client sends its next request into a closing one (RFC 9112 section 9.6).
 */
export function writeHead(reply: FastifyReply, status: number, headers: OutgoingHttpHeaders): void {
  const { server } = reply.server;
  if (!server.listening) headers['connection'] = 'close';
  endSlowAnswer(reply.request, server.timeout);
  reply.server.meter.answered(reply, status, headers);
  reply.raw.writeHead(status, headers);
}

/** Bodies up to this size leave in one write with their head; longer ones cost more that way. */
const ONE_WRITE_BYTES_MAX = 2048;

/**
 * Ends an answer with a short body, of which nothing is kept. As a text of its bytes it joins the head, and
 * both leave from the stack of one system call, which costs a tenth less than a vector of both
 * (docs/decisions/hot-path.md). REQUIRES: the head is written, the body is what it says.
 */
function endInOneWrite(raw: ServerResponse, body: Buffer): void {
  raw.write(body.toString('latin1'), 'latin1');
  // Before the end, which would otherwise go as a second, empty piece.
  raw.uncork();
  raw.end();
}

/** Sends `body`, which is whole, with its length. */
export function sendBytes(
  reply: FastifyReply,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer,
): void {
  reply.hijack();
  headers['content-length'] = body.length;
  writeHead(reply, status, headers);
  if (body.length > ONE_WRITE_BYTES_MAX) reply.raw.end(body);
  else endInOneWrite(reply.raw, body);
}

/**
 * Sends the pieces of a whole body one after the other, uncopied, and calls `onClosed` once nothing
 * refers to them any more: the answer has left, or its connection has ended.
 */
export function sendPieces(
  reply: FastifyReply,
  headers: OutgoingHttpHeaders,
  pieces: readonly Buffer[],
  onClosed: () => void,
): void {
  reply.hijack();
  const { raw } = reply;
  const { socket } = reply.request.raw;
  let byteLength = 0;
  for (const piece of pieces) byteLength += piece.length;
  headers['content-length'] = byteLength;
  writeHead(reply, 200, headers);
  if (socket.destroyed) {
    onClosed();
    raw.end();
    return;
  }
  whenClosed(raw, socket, onClosed);
  raw.cork();
  for (const piece of pieces) raw.write(piece);
  raw.uncork();
  raw.end();
}

/** Each chunk is only valid until the next is asked for, so each is waited for. */
async function sendChunks(reply: FastifyReply, content: Content): Promise<void> {
  const { raw, request } = reply;
  const { socket } = request.raw;
  let isClosed = false;
  let wake = (): void => {};
  whenClosed(raw, socket, () => {
    isClosed = true;
    wake();
  });
  try {
    for await (const chunk of content.chunks()) {
      if (isClosed) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
        raw.write(chunk, () => resolve());
      });
      if (isClosed) return;
    }
    raw.end();
  } catch (error) {
    // Damage is told by who opened the content; a client that has left is no fault.
    if (!isClosed && !(error instanceof SegmentDamage)) {
      const fault = error instanceof BigCacheError ? (error.cause ?? error) : error;
      reply.server.faults.note(fault, { requestId: request.id, method: request.method });
    }
    // The head is out, so a cut connection is all that says "damaged" (RFC 9112 section 8).
    socket.destroy();
  } finally {
    content.release();
  }
}

/** Answers with a head alone. */
export function sendHead(reply: FastifyReply, status: number, headers: OutgoingHttpHeaders): void {
  reply.hijack();
  writeHead(reply, status, headers);
  reply.raw.end();
}

/**
 * Answers with `content` and releases it: when the answer has left, when the connection ends, or at
 * once where no body is sent. REQUIRES: `headers` is not used again by the caller.
 */
export function sendContent(
  reply: FastifyReply,
  headers: OutgoingHttpHeaders,
  content: Content,
  status = 200,
): void {
  reply.hijack();
  const { raw } = reply;
  const { socket, method } = reply.request.raw;
  headers['content-length'] = content.byteLength;
  writeHead(reply, status, headers);
  if (socket.destroyed || method === 'HEAD') {
    content.release();
    raw.end();
    return;
  }
  const { whole } = content;
  if (whole === undefined) {
    void sendChunks(reply, content);
    return;
  }
  if (whole.length <= ONE_WRITE_BYTES_MAX) {
    endInOneWrite(raw, whole);
    content.release();
    return;
  }
  whenClosed(raw, socket, () => content.release());
  raw.end(whole);
}
