/**
 * The built server under spoilt requests, as bytes on raw sockets: what they are is drawn from a seed,
 * and every answer is judged. Part of the run goes with a token for some of the keys alone, and what lies
 * outside must not change; the rest may clear, close and open the store.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { randomFrom, testSeed } from '../e2e/chaos/random.ts';
import { anonymousBytes, ServerProcess } from '../e2e/server-process.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { tokenFor } from '../workers/access/table-tokens.ts';
import { type Judged, judged } from './answers.ts';
import { spoilt } from './mutations.ts';
import {
  FUZZED_PREFIX,
  KEYED_SECRET,
  keyedRequests,
  WHOLE_SECRET,
  wholeRequests,
} from './requests.ts';

const CONNECTIONS = 8;
const ANSWER_MAX_MS = 20_000;
const LOOK_EVERY = 500;
/** The share of the cases that go with the token for everything. */
const WHOLE_SHARE = 0.2;
const RESET_SHARE = 0.03;
const SPLIT_SHARE = 0.2;
const MEMORY_BYTES_MAX = 250 * 1024 * 1024;
const FAULTS_MAX = 10;
const FATAL_LEVEL = 50;
/** What no fuzzed token reaches. */
const KEPT: Readonly<Record<string, string>> = {
  'kept/a': 'one body',
  'kept/b?x=1': 'another '.repeat(2000),
  f: 'the prefix without its slash',
};

class HttpFuzz {
  readonly #seed: number;
  readonly #server: ServerProcess;
  readonly #pids: readonly number[];
  readonly #statuses = new Map<string, number>();
  readonly #faults: string[] = [];
  #cases = 0;
  /** What primary and workers held, in MiB, now and then. */
  readonly #memory: string[] = [];

  private constructor(seed: number, server: ServerProcess) {
    this.#seed = seed;
    this.#server = server;
    this.#pids = server.workerPids;
  }

  static async start(t: TestContext, seed: number): Promise<HttpFuzz> {
    const directory = await temporaryDirectory(t);
    const tokens = join(directory, 'tokens.json');
    const scopes = ['read', 'write', 'admin'] as const;
    const list = [
      tokenFor('keyed', KEYED_SECRET, scopes, FUZZED_PREFIX),
      tokenFor('whole', WHOLE_SECRET, scopes),
    ];
    await writeFile(tokens, JSON.stringify(list), { mode: 0o600 });
    const server = await ServerProcess.start(
      t,
      join(directory, 'store'),
      ...['--workers', '2', '--token-file', tokens, '--max-body', '1MiB', '--max-json', '1MiB'],
    );
    return new HttpFuzz(seed, server);
  }

  /** Sends so many spoilt requests, and judges them and the server. */
  async run(cases: number): Promise<void> {
    const wholeCases = Math.floor(cases * WHOLE_SHARE);
    for (const [key, body] of Object.entries(KEPT)) await this.#ask('POST', `/pickle/${key}`, body);
    const look = () => this.#lookAtKept();
    await this.#runCases(keyedRequests(), cases - wholeCases, look);
    await this.#runCases(wholeRequests(), wholeCases, () => this.#ask('POST', '/open'));
    await this.#lookAtServer();
    assert.deepEqual(this.#faults, [], `seed ${this.#seed}`);
  }

  /** How many answers of which status, and failures by code. */
  get summary(): string {
    const counts = [...this.#statuses].sort(([one], [other]) => one.localeCompare(other));
    const answers = counts.map(([status, count]) => `${status}: ${count}`).join(', ');
    return `seed ${this.#seed}, ${this.#cases} cases; ${answers}; MiB: ${this.#memory.join('; ')}`;
  }

  async #runCases(
    corpus: readonly Buffer[],
    cases: number,
    look: () => Promise<void>,
  ): Promise<void> {
    const end = this.#cases + cases;
    const take = async (): Promise<void> => {
      while (this.#cases < end && this.#faults.length < FAULTS_MAX) {
        const nth = this.#cases++;
        await this.#runCase(nth, corpus);
        if (nth % LOOK_EVERY === 0) await look();
        if (nth % Math.ceil(end / 8) === 0) this.#measure();
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, take));
    await look();
  }

  /** One case; with the seed and its number it can be had again. */
  async #runCase(nth: number, corpus: readonly Buffer[]): Promise<void> {
    const random = randomFrom((this.#seed + Math.imul(nth + 1, 0x9e37_79b1)) >>> 0 || 1);
    const bytes = spoilt(random, corpus);
    const answer = await this.#exchange(bytes, random);
    if (answer === undefined) return;
    const result = judged(answer);
    this.#note(result);
    for (const fault of result.faults) {
      this.#faults.push(`case ${nth}: ${fault}; sent ${JSON.stringify(bytes.toString('latin1'))}`);
    }
  }

  #note({ statuses, failures, isCut }: Judged): void {
    const names = statuses.length === 0 ? ['none'] : statuses.map(String);
    for (const name of [...names, ...failures, ...(isCut ? ['cut'] : [])]) {
      this.#statuses.set(name, (this.#statuses.get(name) ?? 0) + 1);
    }
  }

  /** Sends the bytes and the end of the stream; what comes back, undefined where nobody waits for it. */
  #exchange(bytes: Buffer, random: () => number): Promise<string | undefined> {
    const isReset = random() < RESET_SHARE;
    const split = random() < SPLIT_SHARE ? Math.floor(random() * bytes.length) : bytes.length;
    return new Promise((resolve) => {
      const socket = connect(this.#server.port, '127.0.0.1');
      const chunks: Buffer[] = [];
      const timer = setTimeout(() => {
        // Whoever asks to wait for an entry may have to.
        if (!/wait/i.test(bytes.toString('latin1'))) {
          this.#faults.push(`no end in time: ${JSON.stringify(bytes.toString('latin1'))}`);
        }
        socket.resetAndDestroy();
      }, ANSWER_MAX_MS);
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('close', () => {
        clearTimeout(timer);
        resolve(isReset ? undefined : Buffer.concat(chunks).toString('latin1'));
      });
      socket.write(bytes.subarray(0, split));
      setImmediate(() => {
        if (socket.destroyed) return;
        if (isReset) socket.write(bytes.subarray(split), () => socket.resetAndDestroy());
        else socket.end(bytes.subarray(split));
      });
    });
  }

  async #ask(method: string, target: string, body?: string): Promise<void> {
    const { status } = await this.#fetch(method, target, body);
    assert.equal(status, 200, `${method} ${target}`);
  }

  async #fetch(
    method: string,
    target: string,
    body?: string,
  ): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${this.#server.url}${target}`, {
      method,
      headers: { authorization: `Bearer ${WHOLE_SECRET}` },
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.status, text: await answer.text() };
  }

  async #lookAtKept(): Promise<void> {
    for (const [key, body] of Object.entries(KEPT)) {
      const { status, text } = await this.#fetch('GET', `/pickle/${key}`);
      if (status !== 200 || text !== body) this.#faults.push(`${key} has changed: ${status}`);
    }
  }

  /** The most that one of the processes holds. */
  #measure(): number {
    const heldBytes = [this.#server.pid, ...this.#pids].map(anonymousBytes);
    this.#memory.push(heldBytes.map((bytes) => Math.round(bytes / 2 ** 20)).join(', '));
    return Math.max(...heldBytes);
  }

  async #lookAtServer(): Promise<void> {
    assert.deepEqual(this.#server.workerPids, this.#pids, `seed ${this.#seed}: a worker has died`);
    const { log } = this.#server;
    const failed = log.filter(({ level = 0 }) => level >= FATAL_LEVEL);
    assert.deepEqual(failed, [], `seed ${this.#seed}`);
    assert.ok(this.#measure() < MEMORY_BYTES_MAX, this.#memory.join('; '));
    await this.#ask('POST', '/open');
    await this.#ask('POST', '/pickle/last', 'whole');
    assert.equal((await this.#fetch('GET', '/pickle/last')).text, 'whole');
    assert.equal(await this.#server.stop(), 0);
  }
}

/** The test of the run, of so many cases unless BIGCACHE_FUZZ_CASES says otherwise. */
export function itSendsSpoiltRequests(usualCases: number): void {
  const cases = Number(process.env['BIGCACHE_FUZZ_CASES'] ?? usualCases);
  it('spoilt requests bring no failure, and change nothing that they may not', async (t) => {
    const fuzz = await HttpFuzz.start(t, testSeed());
    try {
      await fuzz.run(cases);
    } finally {
      t.diagnostic(fuzz.summary);
    }
  });
}
