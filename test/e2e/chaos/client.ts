/**
 * One client of the chaos test: writes, reads, deletes and purges keys of its own over one kept
 * connection, by prefix, by tag and softly, and holds every answer against its oracle. It reads where nothing
 * stale is shown, so a soft purge must take an entry from it as surely as a hard one.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeBody, readBody } from './body.ts';
import { type Answer, Connection } from './connection.ts';
import type { Evictions } from './evictions.ts';
import { KeyOracle, type KeyState } from './oracle.ts';

const GROUPS = 8;
const KEYS_PER_GROUP = 25;
const STRETCH_WRITES = 250;
const STRETCHES = 20;
/** Each key has one of these tags, whatever its group. */
const TAGS = 7;
/** Statuses that refuse a change without saying that it did not happen. */
const IN_DOUBT = new Set([503, 504, 507]);
const NEVER = Number.POSITIVE_INFINITY;

/** An entry that was not there although it should have been: evicted, or lost. */
interface Missing {
  readonly key: string;
  readonly sinceMs: number;
  readonly why: string;
}

export interface ChaosClientOptions {
  readonly name: string;
  readonly baseUrl: () => string;
  readonly random: () => number;
  readonly evictions: Evictions;
  /**
   * Bodies are this large a share of what they are otherwise, but for one stretch of writes in twenty, which
   * fills the store: short ones allow more operations.
   */
  readonly bodyShare?: number;
}

export class ChaosClient {
  readonly name: string;
  /** Operations that were answered with success. */
  acknowledged = 0;
  /** Operations that ended without a usable answer. */
  failed = 0;
  /** Reads that were answered with an error of the server: for the tests of full disks. */
  readonly failedReads: { readonly atMs: number; readonly status: number }[] = [];
  readonly violations: string[] = [];
  readonly #evictions: Evictions;
  readonly #bodyShare: number;
  readonly #connection: Connection;
  readonly #oracles = new Map<string, KeyOracle>();
  readonly #random: () => number;
  readonly #missing: Missing[] = [];
  #evicted = 0;
  #lastWrite = 0;
  #isStopped = false;
  #pausing: Promise<void> | undefined;
  #onPause: () => void = () => undefined;

  constructor({ name, baseUrl, random, evictions, bodyShare = 1 }: ChaosClientOptions) {
    this.#bodyShare = bodyShare;
    this.name = name;
    this.#random = random;
    this.#evictions = evictions;
    this.#connection = new Connection(baseUrl);
  }

  /** Told of every failure on a connection that had been in use, with the connection. */
  set onFailure(listener: (socket: Socket | undefined) => void) {
    this.#connection.onFailure = listener;
  }

  get localPort(): number | undefined {
    return this.#connection.localPort;
  }

  /** Entries that were found to have been evicted. */
  get evicted(): number {
    return this.#evicted;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#pausing !== undefined) {
        this.#onPause();
        await this.#pausing;
        this.#pausing = undefined;
      }
      const key = this.#anyKey();
      const dice = this.#random();
      if (dice < 0.5) await this.#write(key);
      else if (dice < 0.91) await this.#read(key);
      else if (dice < 0.99) await this.#delete(key);
      else if (dice < 0.995) await this.#deletePrefix();
      else await this.#purgeByOrder();
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Begins nothing new until `until` resolves; resolves when nothing is under way. */
  pause(until: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#onPause = resolve;
      this.#pausing = until;
    });
  }

  /** Everything was cleared, or perhaps was. */
  cleared(isAcknowledged: boolean, sentMs: number): void {
    for (const oracle of this.#oracles.values()) {
      if (isAcknowledged) oracle.acknowledge(undefined, sentMs, Date.now());
      else oracle.doubt(undefined, Date.now());
    }
  }

  /** Reads every key once, until it is answered. */
  async verifyAll(): Promise<void> {
    for (const key of this.#oracles.keys()) {
      for (let attempt = 0; attempt < 50 && !(await this.#read(key)); attempt++) await sleep(100);
    }
  }

  /** Entries that were missing and that the server never said it evicts. */
  lost(): string[] {
    return this.#missing
      .filter(({ key, sinceMs }) => !this.#evictions.includes(key, sinceMs))
      .map(({ why }) => why);
  }

  close(): void {
    this.#connection.close();
  }

  #anyKey(): string {
    const nth = Math.floor(this.#random() * KEYS_PER_GROUP);
    return `${this.#anyGroup()}${nth}`;
  }

  #anyGroup(): string {
    return `${this.name}/${Math.floor(this.#random() * GROUPS)}/`;
  }

  async #write(key: string): Promise<void> {
    this.#lastWrite += 1;
    const write = this.#lastWrite;
    const body = makeBody(key, write, this.#fillerBytes());
    const sentMs = Date.now();
    const seconds = this.#random() < 0.1 ? 1 + Math.floor(this.#random() * 20) : undefined;
    const headers: Record<string, string> = {
      'cache-tag': this.#tagOf(key),
      ...(seconds === undefined ? {} : { 'cache-control': `max-age=${seconds}` }),
    };
    const answer = await this.#ask('PUT', `/v1/entries/${key}`, body, headers);
    const expiresAtMs = seconds === undefined ? NEVER : sentMs + seconds * 1000;
    this.#settle(key, { write, expiresAtMs }, answer, [201, 204], sentMs);
  }

  async #delete(key: string): Promise<void> {
    const sentMs = Date.now();
    const answer = await this.#ask('DELETE', `/pickle/${key}`);
    this.#settle(key, undefined, answer, [200, 404], sentMs);
  }

  async #deletePrefix(): Promise<void> {
    const group = this.#anyGroup();
    const sentMs = Date.now();
    const answer = await this.#ask('DELETE', `/prefix/${group}`);
    this.#settlePurge((key) => key.startsWith(group), answer?.status === 200, sentMs);
  }

  /** By tag or by prefix, hard or soft. */
  async #purgeByOrder(): Promise<void> {
    const group = this.#anyGroup();
    const tag = this.#tagOf(this.#anyKey());
    const isByTag = this.#random() < 0.7;
    const order = { ...(isByTag ? { tag } : { prefix: group }), soft: this.#random() < 0.5 };
    const sentMs = Date.now();
    const body = Buffer.from(JSON.stringify(order));
    const answer = await this.#ask('POST', '/v1/purge', body, {
      'content-type': 'application/json',
    });
    const isTaken = (key: string): boolean =>
      isByTag ? this.#tagOf(key) === tag : key.startsWith(group);
    this.#settlePurge(isTaken, answer?.status === 202, sentMs);
  }

  #settlePurge(isTaken: (key: string) => boolean, isAcknowledged: boolean, sentMs: number): void {
    if (isAcknowledged) this.acknowledged += 1;
    for (const [key, oracle] of this.#oracles) {
      if (!isTaken(key)) continue;
      if (isAcknowledged) oracle.acknowledge(undefined, sentMs, Date.now());
      else oracle.doubt(undefined, Date.now());
    }
  }

  /** The clients share one store, so a tag has the name of its client. */
  #tagOf(key: string): string {
    return `${this.name}-${Number(key.split('/').at(-1)) % TAGS}`;
  }

  async #read(key: string): Promise<boolean> {
    const askedMs = Date.now();
    const answer = await this.#ask('GET', `/pickle/${key}`);
    if (answer === undefined) return false;
    if (answer.status !== 200 && answer.status !== 404) {
      this.failedReads.push({ atMs: Date.now(), status: answer.status });
      return false;
    }
    this.acknowledged += 1;
    let seen: number | undefined;
    try {
      seen = answer.status === 200 ? readBody(key, answer.body) : undefined;
    } catch (error) {
      this.violations.push((error as Error).message);
      return true;
    }
    this.#judge(key, seen, askedMs);
    return true;
  }

  #judge(key: string, seen: number | undefined, askedMs: number): void {
    const oracle = this.#oracle(key);
    const verdict = oracle.observe(seen, askedMs, Date.now());
    if (verdict === 'right') return;
    const why = `${key} shows ${seen ?? 'none'}, but ${oracle.describe()}`;
    if (verdict === 'wrong') {
      this.violations.push(why);
      return;
    }
    // Whether it was evicted is told in the log, which may be read a moment later.
    this.#evicted += 1;
    this.#missing.push({ key, sinceMs: oracle.sentMs, why });
    oracle.acknowledge(undefined, askedMs, Date.now());
  }

  #settle(
    key: string,
    state: KeyState,
    answer: Answer | undefined,
    good: readonly number[],
    sentMs: number,
  ): void {
    if (answer !== undefined && good.includes(answer.status)) {
      this.acknowledged += 1;
      this.#oracle(key).acknowledge(state, sentMs, Date.now());
      return;
    }
    this.#oracle(key).doubt(state, Date.now());
    if (answer !== undefined && !IN_DOUBT.has(answer.status)) {
      this.violations.push(`${key}: an answer of ${answer.status}`);
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
    const bytesMax = dice < 0.7 ? 8_000 : dice < 0.98 ? 200_000 : 2_500_000;
    const isFilling = Math.floor(this.#lastWrite / STRETCH_WRITES) % STRETCHES === 0;
    return Math.floor(this.#random() * bytesMax * (isFilling ? 1 : this.#bodyShare));
  }

  async #ask(
    method: string,
    path: string,
    body?: Buffer,
    headers: Record<string, string> = {},
  ): Promise<Answer | undefined> {
    const answer = await this.#connection.ask(method, path, body, headers);
    if (answer === undefined) {
      this.failed += 1;
      await sleep(20);
    }
    return answer;
  }
}
