/**
 * The sending of answers past fastify's own reply pipeline, which costs some 13 us more per answer: small
 * ones at once, the body of an entry with its slab given back exactly once.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Content } from './store/store.ts';

/** Sends `body`, which is whole, with its length. */
export function sendBytes(
  reply: FastifyReply,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer,
): void {
  reply.hijack();
  headers['content-length'] = body.length;
  reply.raw.writeHead(status, headers);
  reply.raw.end(body);
}

/** Sends the pieces of a whole body one after the other, uncopied. */
export function sendPieces(
  reply: FastifyReply,
  headers: OutgoingHttpHeaders,
  pieces: readonly Buffer[],
): void {
  reply.hijack();
  const { raw } = reply;
  let byteLength = 0;
  for (const piece of pieces) byteLength += piece.length;
  headers['content-length'] = byteLength;
  raw.writeHead(200, headers);
  raw.cork();
  for (const piece of pieces) raw.write(piece);
  raw.uncork();
  raw.end();
}

/** Cuts a client off that has taken nothing of its answer for `stallMs`. */
function watchSending(raw: ServerResponse, stallMs: number): void {
  // Node takes the timeout off the socket when the next request on it arrives.
  const { socket } = raw;
  if (socket !== null && socket.writableLength > 0) socket.setTimeout(stallMs);
}

/** Resolves when `chunk` has left for the kernel; false when the connection ended first. */
function writeChunk(raw: ServerResponse, chunk: Buffer, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const onClose = (): void => resolve(false);
    raw.once('close', onClose);
    raw.write(chunk, (error) => {
      raw.off('close', onClose);
      resolve(error === null || error === undefined);
    });
    watchSending(raw, stallMs);
  });
}

/** Each chunk is only valid until the next is asked for, so each is waited for. */
async function sendChunks(raw: ServerResponse, content: Content, stallMs: number): Promise<void> {
  try {
    for await (const chunk of content.chunks()) {
      if (raw.destroyed || !(await writeChunk(raw, chunk, stallMs))) return;
    }
    raw.end();
  } catch {
    // The head is out, so a cut connection is all that says "damaged" (RFC 9112 section 8).
    raw.destroy();
  } finally {
    content.release();
  }
}

/**
 * Answers 200 with `content` and releases it: when the answer has left, when the connection ends, or
 * at once where no body is sent. REQUIRES: `headers` is not used again by the caller.
 */
export function sendContent(
  reply: FastifyReply,
  headers: OutgoingHttpHeaders,
  content: Content,
  stallMs: number,
): void {
  reply.hijack();
  const { raw, request } = reply;
  headers['content-length'] = content.byteLength;
  if (request.raw.socket.destroyed || request.raw.method === 'HEAD') {
    content.release();
    raw.writeHead(200, headers);
    raw.end();
    return;
  }
  raw.writeHead(200, headers);
  if (content.whole === undefined) {
    void sendChunks(raw, content, stallMs);
    return;
  }
  // An answer that leaves emits `close` after `finish`; one that is cut off emits `close` alone.
  raw.once('close', () => content.release());
  raw.end(content.whole);
  watchSending(raw, stallMs);
}
