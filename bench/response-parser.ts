/**
 * The least of HTTP that a load generator needs: where one response ends and the next begins, by
 * Content-Length, and each one's status. Chunked responses are refused.
 */

const HEAD_END = '\r\n\r\n';
const HEAD_BYTES_MAX = 16 * 1024;
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)(?:\r\n|$)/i;
const CLOSES = /\r\nconnection: *close(?:\r\n|$)/i;
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})/;

export class ResponseParser {
  readonly #onResponse: (status: number, closes: boolean) => void;
  /** The head so far, where it came in pieces. */
  #partialHead: Buffer | undefined;
  #status = 0;
  #bodyBytesLeft = 0;
  #closes = false;

  /** `onResponse` is called at the last byte of each response; `closes` where it ends its connection. */
  constructor(onResponse: (status: number, closes: boolean) => void) {
    this.#onResponse = onResponse;
  }

  /** Reads on; nothing of `bytes` is kept. Throws for what is no response with a known length. */
  push(bytes: Buffer): void {
    let rest = bytes;
    if (this.#partialHead !== undefined) {
      rest = Buffer.concat([this.#partialHead, bytes]);
      this.#partialHead = undefined;
    }
    let offset = 0;
    while (offset < rest.length) {
      if (this.#status === 0) {
        const headEnd = rest.indexOf(HEAD_END, offset, 'latin1');
        if (headEnd < 0) {
          this.#keepHead(rest.subarray(offset));
          return;
        }
        this.#readHead(rest.toString('latin1', offset, headEnd));
        offset = headEnd + HEAD_END.length;
      }
      const taken = Math.min(this.#bodyBytesLeft, rest.length - offset);
      this.#bodyBytesLeft -= taken;
      offset += taken;
      if (this.#bodyBytesLeft === 0) this.#finish();
    }
  }

  #keepHead(piece: Buffer): void {
    if (piece.length > HEAD_BYTES_MAX) throw new Error('the head of a response has no end');
    this.#partialHead = Buffer.from(piece);
  }

  #readHead(head: string): void {
    const status = Number(STATUS_LINE.exec(head)?.[1]);
    if (!(status >= 200)) throw new Error(`no final response: ${head.slice(0, 80)}`);
    const contentLength = CONTENT_LENGTH.exec(head)?.[1];
    if (contentLength === undefined && status !== 204 && status !== 304) {
      throw new Error(`a response without Content-Length: ${head.slice(0, 80)}`);
    }
    this.#status = status;
    this.#closes = CLOSES.test(head);
    this.#bodyBytesLeft = Number(contentLength ?? 0);
  }

  #finish(): void {
    const status = this.#status;
    this.#status = 0;
    this.#onResponse(status, this.#closes);
  }
}
