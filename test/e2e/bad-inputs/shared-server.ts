/** The built server that the rows of a file share, and the connections to it, byte for byte. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before } from 'node:test';
import type { ErrorCode } from '../../../src/protocol/errors.ts';
import { answersIn, type RawAnswer, received, request } from '../../raw-http.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { ServerProcess } from '../server-process.ts';

const FATAL_LEVEL = 50;

/** What an answer of a route says in JSON. */
export const jsonOf = ({ body }: RawAnswer): Readonly<Record<string, unknown>> =>
  JSON.parse(body.toString());

export class SharedServer {
  #process: ServerProcess | undefined;
  #pids: readonly number[] = [];
  readonly #cleanUps: (() => unknown)[] = [];

  /** Starts a server before the tests of this file, and judges it after them: nothing died or failed. */
  static withArguments(make: () => Promise<readonly string[]> | readonly string[]): SharedServer {
    const server = new SharedServer();
    before(async () => server.#start(await make()));
    after(() => server.#end());
    return server;
  }

  get process(): ServerProcess {
    assert.ok(this.#process !== undefined, 'the server was started');
    return this.#process;
  }

  get port(): number {
    return this.process.port;
  }

  connect(): Socket {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    this.#cleanUps.push(() => socket.destroy());
    return socket;
  }

  /** Sends `bytes` on a connection of their own; all answers that come until the server closes it. */
  async exchange(bytes: string | Buffer): Promise<RawAnswer[]> {
    const text = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const isHead = text.toString('latin1', 0, 5) === 'HEAD ';
    return answersIn(await received(this.connect(), text), isHead);
  }

  /** The one answer to `bytes`. */
  async answer(bytes: string | Buffer): Promise<RawAnswer> {
    const [answer, ...more] = await this.exchange(bytes);
    assert.ok(answer !== undefined && more.length === 0, `${more.length} more answers`);
    return answer;
  }

  /** The answer to a request with this line; the length of `body` is declared where there is one. */
  ask(line: string, headers: readonly string[] = [], body?: string | Buffer): Promise<RawAnswer> {
    if (body === undefined) return this.answer(request(line, headers));
    const bytes = Buffer.from(body);
    const head = request(line, [...headers, `Content-Length: ${bytes.length}`]);
    return this.answer(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
  }

  /** Stores a value of JSON, and answers the key that it has then. */
  async store(target: string, value = '1'): Promise<string> {
    const answer = await this.ask(`POST /cache/${target}`, [], `{"value":${value}}`);
    assert.equal(answer.status, 200, answer.body.toString());
    return String(jsonOf(answer)['key']);
  }

  async count(): Promise<number> {
    return Number(jsonOf(await this.ask('GET /stat/count'))['count']);
  }

  /** Such a request is refused with this status and code, and nothing more is said. */
  async refuses(bytes: string | Buffer, status: number, code: ErrorCode): Promise<RawAnswer> {
    const answer = await this.answer(bytes);
    const title = JSON.stringify(bytes.toString('latin1').slice(0, 120));
    assertRefusal(answer, status, code, title);
    return answer;
  }

  async #start(args: readonly string[]): Promise<void> {
    const directory = await temporaryDirectory({ after: () => undefined });
    const cleanable = { after: (cleanUp: () => Promise<void>) => this.#cleanUps.push(cleanUp) };
    this.#process = await ServerProcess.start(cleanable, directory, ...args);
    this.#pids = this.#process.workerPids;
  }

  async #end(): Promise<void> {
    try {
      const { workerPids, log } = this.process;
      assert.deepEqual(workerPids, this.#pids, 'no worker has died');
      assert.deepEqual(
        log.filter(({ level = 0 }) => level >= FATAL_LEVEL),
        [],
      );
      assert.equal(await this.process.stop(), 0);
    } finally {
      for (const cleanUp of this.#cleanUps) await cleanUp();
    }
  }
}

export function assertRefusal(
  { status: given, headers, body }: RawAnswer,
  status: number,
  code: ErrorCode,
  title?: string,
): void {
  assert.equal(given, status, `${title}: ${body.toString()}`);
  const told = JSON.parse(body.toString()) as Record<string, unknown>;
  assert.deepEqual(Object.keys(told).sort(), ['code', 'detail'], title);
  assert.equal(told['code'], code, title);
  assert.match(headers.get('content-type') ?? '', /^application\/json/, title);
  assert.doesNotMatch(String(told['detail']), /(?:^|\s)\/(?:home|tmp|usr|work)\/|\n +at /, title);
}
