/**
 * One request body on its way in: the limits that are checked before a byte of it is read, and the
 * reading, whole or piece by piece, at the pace of whoever asks for it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BigCacheError } from '../../protocol/errors.ts';
import { WHOLE_BODY_BYTES_MAX } from '../../segments/body-reader.ts';
import type { Reception, Uploads } from './uploads.ts';

/** A pause of ours that is longer than this starts the client's window anew. */
const OWN_PAUSE_MS = 1000;

/** The length that the request declares; undefined when the body is chunked. */
export function declaredBytes(request: IncomingMessage): number | undefined {
  const length = request.headers['content-length'];
  if (length !== undefined) return Number(length);
  return request.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/**
 * Says `100 Continue` once the answers before it have left. Node would put one that is said earlier between
 * the head of the final answer and its body. Who sends the body unasked may have that answer by then.
 * RFC 9110 section 10.1.1: clients of HTTP/1.0 do not know it.
 */
function continueBody(request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMinor === 0) return;
  if (response.socket !== null) response.writeContinue();
  else {
    response.once('socket', () => {
      if (!response.headersSent) response.writeContinue();
    });
  }
}

/** Makes other bytes of those that arrive. */
export type Decode = (pieces: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

const asSent: Decode = (pieces) => pieces;

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

export class Upload implements Reception {
  waitingSinceMs: number | undefined;
  windowStartMs = 0;
  windowBytes = 0;

  readonly #uploads: Uploads;
  readonly #request: IncomingMessage;
  readonly #bytesMax: number;
  readonly #declaredBytes: number | undefined;
  #receivedBytes = 0;
  #heldBytes = 0;
  #lastReadMs = 0;
  #isWatched = false;
  #waiter: Waiter | undefined;
  #failure: BigCacheError | undefined;
  readonly #wake = (): void => this.#waiter?.resolve();
  readonly #abort = (): void => {
    if (this.#request.readableEnded) return;
    this.fail(new BigCacheError('REQUEST_INVALID', 'The body ended before it was whole.'));
  };

  /**
   * Throws BigCacheError BODY_TOO_LARGE where the declared length already says so. Otherwise answers
   * `Expect: 100-continue` (RFC 9110 section 10.1.1), so the client sends only what will be read.
   */
  constructor(
    uploads: Uploads,
    request: IncomingMessage,
    response: ServerResponse,
    bytesMax: number,
  ) {
    this.#uploads = uploads;
    this.#request = request;
    this.#bytesMax = bytesMax;
    const declared = declaredBytes(request);
    this.#declaredBytes = declared;
    if (declared !== undefined && declared > bytesMax) throw this.#tooLarge();
    if (request.headers.expect !== undefined) continueBody(request, response);
    request.on('readable', this.#wake);
    request.on('end', this.#wake);
    request.on('close', this.#abort);
    request.on('error', this.#abort);
  }

  /**
   * The whole body. It counts against the budget of all uploads until `close`.
   *
   * Throws BigCacheError: BODY_TOO_LARGE, REQUEST_TIMEOUT, REQUEST_INVALID (cut off).
   */
  async collect(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#pieces()) {
      chunks.push(chunk);
      await this.#hold(chunk.length, this.#hasArrived);
    }
    this.#uploads.remove(this);
    const [first] = chunks;
    return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
  }

  /** Counts what is kept of the body, and waits for room where more of it will come. */
  #hold(bytes: number, isAll: boolean): Promise<void> | undefined {
    this.#heldBytes += bytes;
    this.#uploads.hold(this, bytes);
    if (this.#failure !== undefined) throw this.#failure;
    return isAll ? undefined : this.#uploads.room(this);
  }

  get #hasArrived(): boolean {
    return this.#receivedBytes === this.#declaredBytes;
  }

  /**
   * The body in pieces; the socket is read only as they are asked for. The store keeps the start of
   * it until the first piece after that is asked for, so the start counts against the budget until
   * then. `decode` makes of what arrives what is stored; it counts as that. Throws as `collect` does, and
   * as `decode` does.
   */
  async *chunks(decode: Decode = asSent): AsyncGenerator<Buffer, void, undefined> {
    await this.#uploads.streamTurn(this);
    let passedBytes = 0;
    for await (const chunk of decode(this.#pieces())) {
      // Of what is decoded nobody knows whether more will come.
      const isAll = decode === asSent && this.#hasArrived;
      if (passedBytes <= WHOLE_BODY_BYTES_MAX) await this.#hold(chunk.length, isAll);
      else this.#giveBack();
      passedBytes += chunk.length;
      yield chunk;
    }
    this.#uploads.remove(this);
  }

  async *#pieces(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk: Buffer | null = this.#request.read();
      if (chunk === null) {
        if (this.#request.readableEnded) break;
        await this.#nextBytes();
        continue;
      }
      this.#receivedBytes += chunk.length;
      this.windowBytes += chunk.length;
      if (this.#receivedBytes > this.#bytesMax) throw this.#tooLarge();
      yield chunk;
    }
  }

  #tooLarge(): BigCacheError {
    const detail = `The body is larger than the ${this.#bytesMax} bytes that are taken here.`;
    return new BigCacheError('BODY_TOO_LARGE', detail);
  }

  async #nextBytes(): Promise<void> {
    const nowMs = this.#uploads.now();
    if (!this.#isWatched || nowMs - this.#lastReadMs > OWN_PAUSE_MS) {
      this.windowStartMs = nowMs;
      this.windowBytes = 0;
    }
    if (!this.#isWatched) {
      this.#isWatched = true;
      this.#uploads.add(this);
    }
    this.waitingSinceMs = nowMs;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiter = { resolve, reject };
      });
    } finally {
      this.#waiter = undefined;
      this.waitingSinceMs = undefined;
      this.#lastReadMs = this.#uploads.now();
    }
  }

  /** Ends the reading: the one who waits for bytes or for room, now or next, gets `error`. */
  fail(error: BigCacheError): void {
    this.#failure ??= error;
    this.#waiter?.reject(this.#failure);
    this.#uploads.refuse(this, this.#failure);
  }

  /** Gives back what the body held. Every Upload is closed, whatever became of it. */
  close(): void {
    const request = this.#request;
    // Node drains what is left of a request once it is answered, unless somebody still listens.
    request.off('readable', this.#wake);
    request.off('end', this.#wake);
    request.off('close', this.#abort);
    request.off('error', this.#abort);
    this.#uploads.remove(this);
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#heldBytes > 0) this.#uploads.release(this, this.#heldBytes);
    this.#heldBytes = 0;
  }
}

/** Bodies of a known length below this are stored from memory, others as they arrive. */
const COLLECT_BYTES_MAX = 1024 * 1024;

/** The body of the request in the form in which it is best stored. */
export async function bodyOf(
  { raw }: { readonly raw: IncomingMessage },
  upload: Upload,
): Promise<Buffer | AsyncIterable<Buffer>> {
  const declared = declaredBytes(raw);
  const isSmall = declared !== undefined && declared < COLLECT_BYTES_MAX;
  return isSmall ? await upload.collect() : upload.chunks();
}
