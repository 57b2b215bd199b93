/**
 * Loads many entries fast: pipelined POSTs over a few connections, with every answer checked.
 */
import { connect, type Socket } from 'node:net';

export interface Load {
  readonly port: number;
  readonly entries: number;
  readonly connections: number;
  key(nth: number): string;
  body(nth: number): string;
  /** Header lines of a request beside Host and Content-Length, each with its line end. */
  headers?(nth: number): string;
  /** PUT /v1/entries/ instead, which takes tags; no key may be there before. */
  readonly isNative?: boolean;
}

const IN_FLIGHT_PER_CONNECTION = 64;
/** The answers to new entries. */
const OK = /^(?:HTTP\/1\.1 )?20[01]/;

/** Stores all entries; rejects at the first answer that is neither 200 nor 201. */
export async function writePipelined(load: Load): Promise<void> {
  let next = 0;
  const take = (): number | undefined => (next < load.entries ? next++ : undefined);
  await Promise.all(Array.from({ length: load.connections }, () => runConnection(load, take)));
}

function runConnection(load: Load, take: () => number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(load.port, '127.0.0.1');
    let open = 0;
    let isDone = false;
    let rest = '';
    const fill = (): void => {
      const requests: string[] = [];
      while (open < IN_FLIGHT_PER_CONNECTION && !isDone) {
        const nth = take();
        if (nth === undefined) isDone = true;
        else {
          requests.push(requestFor(load, nth));
          open += 1;
        }
      }
      if (requests.length > 0) socket.write(requests.join(''));
      if (isDone && open === 0) finish(socket, resolve);
    };
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      const answers = (rest + chunk).split('HTTP/1.1 ');
      rest = `HTTP/1.1 ${answers.pop() ?? ''}`;
      for (const answer of answers.slice(1)) {
        if (!OK.test(answer)) reject(new Error(answer.slice(0, 300)));
        open -= 1;
      }
      // The last answer of the load has no successor that would show its end.
      if (open === 1 && isWhole(rest)) {
        open = 0;
        rest = '';
      }
      fill();
    });
    socket.on('error', reject);
    socket.on('connect', fill);
  });
}

function requestFor(load: Load, nth: number): string {
  const body = load.body(nth);
  const length = Buffer.byteLength(body);
  const headers = `Host: localhost\r\nContent-Length: ${length}\r\n${load.headers?.(nth) ?? ''}`;
  const target = load.isNative === true ? 'PUT /v1/entries' : 'POST /pickle';
  return `${target}/${load.key(nth)} HTTP/1.1\r\n${headers}\r\n${body}`;
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  const length = /content-length: (\d+)/i.exec(answer)?.[1];
  return OK.test(answer) && end > 0 && length !== undefined && answer.length >= end + 4 + +length;
}

function finish(socket: Socket, resolve: () => void): void {
  socket.end();
  resolve();
}
