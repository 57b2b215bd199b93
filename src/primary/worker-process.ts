/**
 * One worker's life, seen by the primary: forked, greeted, ready, draining, gone.
 */
import cluster, { type Worker } from 'node:cluster';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { type Counters, newCounters } from '../protocol/counters.ts';
import { moduleUrl } from '../protocol/module-url.ts';
import type { Welcome } from '../protocol/welcome.ts';
import { WorkerSession } from './channel/worker-session.ts';
import type { Storage } from './store/storage.ts';

/** A worker that is silent for this long is killed; it reports each second. */
const SILENCE_MAX_MS = 5000;
/** A worker may take this long from its fork until it listens. */
const START_MAX_MS = 30_000;
/** The channel's place in the worker's descriptors. */
const CHANNEL_STDIO = 4;

export interface WorkerEvents {
  onReady(worker: WorkerProcess): void;
  onListenFailed(worker: WorkerProcess, reason: string): void;
  /** The process has ended; `lifeMs` is the time since it was ready, undefined when it never was. */
  onExit(worker: WorkerProcess, lifeMs: number | undefined): void;
}

export interface WorkerProcessOptions {
  readonly welcome: Welcome;
  readonly indexPath: string;
  readonly storage: Storage;
  readonly sumCounters: () => Promise<Counters>;
  readonly log: Logger;
  readonly events: WorkerEvents;
}

/** How workers are forked: a file of its own, a shared listening handle, the channel as a pipe. */
export function prepareForks(): void {
  // Each worker accepts for itself: half the CPU per connection of round robin through the primary.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({
    // Under pm2 the default would be pm2's own wrapper.
    exec: fileURLToPath(moduleUrl('../workers/main', import.meta.url)),
    args: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
  });
}

export class WorkerProcess {
  readonly #worker: Worker;
  readonly #session: WorkerSession;
  readonly #log: Logger;
  readonly #watch: NodeJS.Timeout;
  readonly #forkedAtMs = Date.now();
  #readyAtMs: number | undefined;
  #lastSignMs = Date.now();
  /** What the worker last reported; added to the total when it dies. */
  counters: Counters = newCounters();
  #isDraining = false;

  /** Forks the worker. REQUIRES: `prepareForks` has been called. */
  constructor(options: WorkerProcessOptions) {
    const { welcome, events } = options;
    this.#log = options.log.child({ worker: welcome.writer });
    this.#worker = cluster.fork({ BIGCACHE_INDEX_PATH: options.indexPath });
    this.#session = new WorkerSession({
      stream: this.#worker.process.stdio[CHANNEL_STDIO] as Duplex,
      welcome,
      storage: options.storage,
      sumCounters: options.sumCounters,
      log: this.#log,
      events: {
        onReady: () => {
          this.#readyAtMs = Date.now();
          events.onReady(this);
        },
        onListenFailed: (reason) => events.onListenFailed(this, reason),
        onReport: (counters) => {
          this.#lastSignMs = Date.now();
          this.counters = counters;
        },
        onClose: (error) => this.#channelClosed(error),
      },
    });
    this.#worker.on('exit', (code, signal) => {
      clearInterval(this.#watch);
      if (!this.#isDraining) this.#log.warn({ code, signal, pid: this.pid }, 'a worker died');
      // What it sent is still read from the channel to its end, which seals its segments.
      events.onExit(this, this.#readyAtMs === undefined ? undefined : Date.now() - this.#readyAtMs);
    });
    this.#worker.on('error', (error) => this.#log.warn({ err: error }, 'a worker has failed'));
    this.#watch = setInterval(() => this.#checkSigns(), 500);
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  get isReady(): boolean {
    return this.#readyAtMs !== undefined && !this.#worker.isDead();
  }

  get session(): WorkerSession {
    return this.#session;
  }

  drain(): void {
    this.#isDraining = true;
    this.#session.drain();
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  /** The worker's counters as they are now, or as it last reported them. */
  async collect(deadlineMs: number): Promise<Counters> {
    if (!this.isReady) return this.counters;
    try {
      this.counters = await this.#session.collect(deadlineMs);
    } catch {
      // It is dying or too busy: what it last reported stands.
    }
    return this.counters;
  }

  #channelClosed(error: Error | undefined): void {
    if (error !== undefined) this.#log.error({ err: error }, "a worker's channel was closed");
    // Without its channel it ends itself within a second; this is for one that does not.
    if (!this.#worker.isDead())
      setTimeout(() => this.kill(), error === undefined ? 2000 : 0).unref();
  }

  #checkSigns(): void {
    const now = Date.now();
    if (this.#readyAtMs === undefined) {
      if (now - this.#forkedAtMs < START_MAX_MS) return;
      this.#log.error({ pid: this.pid }, 'a worker did not get ready in time and is killed');
    } else {
      if (now - this.#lastSignMs < SILENCE_MAX_MS) return;
      this.#log.error({ pid: this.pid }, 'a worker is silent and is killed');
    }
    this.kill();
  }
}
