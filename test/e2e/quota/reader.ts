/**
 * Reads recent keys while they are written, and holds each answer against what was acknowledged: a miss
 * may be an eviction, and a hit must be what was acknowledged last or what was sent since.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../chaos/connection.ts';
import type { Bodies } from './bodies.ts';
import type { RecentKeys } from './recent-keys.ts';

const PAUSE_MS = 5;
const BEFORE_THE_FIRST_MS = 50;

export interface RecentReaderOptions {
  readonly url: string;
  readonly bodies: Bodies;
  readonly recent: RecentKeys;
}

export class RecentReader {
  readonly violations: string[] = [];
  /** Reads of keys that were not removed meanwhile. */
  reads = 0;
  hits = 0;
  readonly #options: RecentReaderOptions;
  readonly #connection: Connection;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(options: RecentReaderOptions) {
    this.#options = options;
    this.#connection = new Connection(() => options.url);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.#connection.close();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#readOne();
      await sleep(this.reads === 0 ? BEFORE_THE_FIRST_MS : PAUSE_MS);
    }
  }

  async #readOne(): Promise<void> {
    const target = this.#options.recent.any();
    if (target === undefined || target.acknowledged === 0) return;
    const { key } = target;
    const before = { ...target };
    const answer = await this.#connection.ask('GET', `/pickle/${key}`, undefined, {});
    const wasRemoved = before.isRemoved || target.isRemoved || target.sent !== before.sent;
    if (answer?.status === 404) {
      if (!wasRemoved) this.reads += 1;
      return;
    }
    if (answer?.status !== 200) {
      this.violations.push(`${key} was answered with ${answer?.status ?? 'nothing'}`);
      return;
    }
    const write = this.#options.bodies.writeOf(key, answer.body);
    if (write === undefined) this.violations.push(`${key} was answered with a wrong body`);
    else if (write < before.acknowledged || write > target.sent) {
      this.violations.push(`${key} was answered with change ${write}, not ${before.acknowledged}`);
    } else if (write === before.acknowledged && before.isRemoved) {
      this.violations.push(`${key} was answered although it had been removed`);
    }
    if (!wasRemoved) {
      this.reads += 1;
      this.hits += 1;
    }
  }
}
