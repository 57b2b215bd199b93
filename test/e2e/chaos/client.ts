/**
 * One client of the chaos test: writes, reads and deletes keys of its own over one kept connection,
 * and holds every answer against its oracle.
 */
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeBody, readBody } from './body.ts';
import { KeyOracle, type KeyState } from './oracle.ts';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const KEYS_PER_CLIENT = 40;
const TIMEOUT_MS = 10_000;

export class ChaosClient {
  readonly name: string;
  /** Operations that were answered with success. */
  acknowledged = 0;
  /** Operations that ended without a usable answer. */
  failed = 0;
  readonly violations: string[] = [];
  /** Told of every failure on a connection that had been in use, with the connection. */
  onFailure: (socket: Socket | undefined) => void = () => undefined;
  readonly #baseUrl: () => string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #oracles = new Map<string, KeyOracle>();
  readonly #random: () => number;
  #socket: Socket | undefined;
  #lastWrite = 0;
  #isStopped = false;

  constructor(name: string, baseUrl: () => string, random: () => number) {
    this.name = name;
    this.#baseUrl = baseUrl;
    this.#random = random;
  }

  get localPort(): number | undefined {
    return this.#socket?.localPort;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const key = `${this.name}/${Math.floor(this.#random() * KEYS_PER_CLIENT)}`;
      const dice = this.#random();
      if (dice < 0.5) await this.#write(key);
      else if (dice < 0.9) await this.#read(key);
      else await this.#delete(key);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Reads every key once, until it is answered. */
  async verifyAll(): Promise<void> {
    for (const key of this.#oracles.keys()) {
      for (let attempt = 0; attempt < 50 && !(await this.#read(key)); attempt++) await sleep(100);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #write(key: string): Promise<void> {
    this.#lastWrite += 1;
    const write = this.#lastWrite;
    const body = makeBody(key, write, this.#fillerBytes());
    const answer = await this.#ask('POST', `/pickle/${key}`, body);
    this.#settle(key, write, answer, [200]);
  }

  async #delete(key: string): Promise<void> {
    const answer = await this.#ask('DELETE', `/pickle/${key}`);
    this.#settle(key, undefined, answer, [200, 404]);
  }

  async #read(key: string): Promise<boolean> {
    const answer = await this.#ask('GET', `/pickle/${key}`);
    if (answer?.status !== 200 && answer?.status !== 404) return false;
    this.acknowledged += 1;
    let seen: KeyState;
    try {
      seen = answer.status === 200 ? readBody(key, answer.body) : undefined;
    } catch (error) {
      this.violations.push((error as Error).message);
      return true;
    }
    const oracle = this.#oracle(key);
    if (!oracle.observe(seen, Date.now())) {
      this.violations.push(`${key} shows ${seen ?? 'none'}, but ${oracle.describe()}`);
    }
    return true;
  }

  #settle(key: string, state: KeyState, answer: Answer | undefined, good: number[]): void {
    if (answer !== undefined && good.includes(answer.status)) {
      this.acknowledged += 1;
      this.#oracle(key).acknowledge(state, Date.now());
    } else {
      this.#oracle(key).doubt(state, Date.now());
      if (answer !== undefined && answer.status !== 503 && answer.status !== 504) {
        this.violations.push(`${key}: an answer of ${answer.status}`);
      }
    }
  }

  #oracle(key: string): KeyOracle {
    let oracle = this.#oracles.get(key);
    if (oracle === undefined) {
      oracle = new KeyOracle();
      this.#oracles.set(key, oracle);
    }
    return oracle;
  }

  /** Mostly small bodies, some of several blocks, a few that are streamed. */
  #fillerBytes(): number {
    const dice = this.#random();
    if (dice < 0.9) return Math.floor(this.#random() * 8_000);
    return Math.floor(this.#random() * (dice < 0.99 ? 200_000 : 2_500_000));
  }

  async #ask(method: string, path: string, body?: Buffer): Promise<Answer | undefined> {
    try {
      return await this.#send(method, path, body);
    } catch {
      this.failed += 1;
      this.onFailure(this.#socket);
      await sleep(20);
      return undefined;
    }
  }

  #send(method: string, path: string, body: Buffer | undefined): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(this.#baseUrl() + path, {
        method,
        agent: this.#agent,
        timeout: TIMEOUT_MS,
        headers: body === undefined ? {} : { 'content-length': body.length },
      });
      asked.on('socket', (socket) => {
        this.#socket = socket;
      });
      asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
      asked.on('error', reject);
      asked.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.complete) {
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
          } else reject(new Error('the answer was cut off'));
        });
      });
      asked.end(body);
    });
  }
}
