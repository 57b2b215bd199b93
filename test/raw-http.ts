/** HTTP as bytes on a socket: requests as they are written, answers as they come. */
import type { Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** By lower-case name; of a field that comes twice, the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** The text of a request that asks for the connection to be closed after its answer. */
export function request(line: string, headers: readonly string[] = [], body = ''): string {
  const head = [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Everything that comes back on `socket` until the server ends it, as latin1. */
export function received(socket: Socket, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.write(bytes);
  });
}

const HEAD =
  /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: *[^\r\n]*\r\n)*)\r\n/;
const HEAD_CHARACTERS_MAX = 32 * 1024;

/** The head at the begin of `text`; undefined where no answer begins there. */
export function headOf(text: string): (Omit<RawAnswer, 'body'> & { length: number }) | undefined {
  const [all, status, fields = ''] = HEAD.exec(text.slice(0, HEAD_CHARACTERS_MAX)) ?? [];
  if (all === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of fields.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status), headers, length: all.length };
}

/** How long the body is that such a head announces. Throws where it does not say. */
export function bodyLengthOf({ status, headers }: Omit<RawAnswer, 'body'>): number {
  if (status < 200 || status === 204 || status === 304) return 0;
  const length = headers.get('content-length');
  if (length === undefined || !/^\d+$/.test(length)) throw new Error('an answer without a length');
  return Number(length);
}

/** All answers in `text`, latin1, which must hold nothing else. Those to HEAD have no body. */
export function answersIn(text: string, isHead = false): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let at = 0; at < text.length; ) {
    const head = headOf(text.slice(at));
    if (head === undefined)
      throw new Error(`no answer: ${JSON.stringify(text.slice(at, at + 200))}`);
    const begin = at + head.length;
    at = begin + (isHead ? 0 : bodyLengthOf(head));
    if (at > text.length) throw new Error('an answer that is cut off');
    const body = Buffer.from(text.slice(begin, at), 'latin1');
    answers.push({ status: head.status, headers: head.headers, body });
  }
  return answers;
}
