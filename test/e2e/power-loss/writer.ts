/**
 * One client of a recorded run: writes, deletes and purges keys of its own, one request after the
 * other, and notes when each was sent and when it was acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { makeBody } from '../chaos/body.ts';
import type { History, Step } from './history.ts';

const KEYS_PER_WRITER = 50;
const TIMEOUT_MS = 30_000;

export class Writer {
  readonly #name: string;
  readonly #url: () => string;
  readonly #history: History;
  readonly #random: () => number;
  readonly #written = new Set<string>();
  #lastWrite = 0;
  #isStopped = false;

  constructor(name: string, url: () => string, history: History, random: () => number) {
    this.#name = name;
    this.#url = url;
    this.#history = history;
    this.#random = random;
  }

  /** Goes on until `stop`, also while there is no server. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      const key = `${this.#name}/${Math.floor(this.#random() * KEYS_PER_WRITER)}`;
      const dice = this.#random();
      if (dice < 0.82) await this.#write(key);
      else if (dice < 0.98) await this.#remove([key], `/pickle/${key}`);
      else await this.#purge();
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #write(key: string): Promise<void> {
    this.#lastWrite += 1;
    this.#written.add(key);
    const body = makeBody(key, this.#lastWrite, this.#fillerBytes());
    const step = this.#history.begin(key, this.#lastWrite, Date.now());
    await this.#send('POST', `/pickle/${key}`, [step], body);
  }

  async #purge(): Promise<void> {
    const prefix = `${this.#name}/${1 + Math.floor(this.#random() * 4)}`;
    const keys = [...this.#written].filter((key) => key.startsWith(prefix));
    await this.#remove(keys, `/prefix/${prefix}`);
  }

  async #remove(keys: readonly string[], path: string): Promise<void> {
    const sentAtMs = Date.now();
    const steps = keys.map((key) => this.#history.begin(key, undefined, sentAtMs));
    await this.#send('DELETE', path, steps);
  }

  async #send(method: string, path: string, steps: readonly Step[], body?: Buffer): Promise<void> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const options = body === undefined ? { method, signal } : { method, signal, body };
      const response = await fetch(this.#url() + path, options);
      await response.arrayBuffer();
      // A key without an entry is 404 to a DELETE, which is an acknowledgement all the same.
      if (response.status !== 200 && response.status !== 404) return;
      // The clock counts whole milliseconds, and nothing may count as acknowledged before it was.
      const acknowledgedAtMs = Date.now() + 1;
      for (const step of steps) step.acknowledgedAtMs = acknowledgedAtMs;
    } catch {
      await sleep(50);
    }
  }

  /** Mostly small bodies, some of several blocks, a few that are streamed. */
  #fillerBytes(): number {
    const dice = this.#random();
    if (dice < 0.95) return Math.floor(this.#random() * 4_000);
    return Math.floor(this.#random() * (dice < 0.995 ? 100_000 : 1_500_000));
  }
}
