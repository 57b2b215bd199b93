/**
 * One worker's life, seen by the primary: greeted, ready, draining, gone.
 */
import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type Counters, newCounters } from '../protocol/counters.ts';
import { newFigures, PROCESS_FIGURES, type ProcessFigures } from '../protocol/figures.ts';
import { Savings } from '../protocol/savings.ts';
import type { Statistics, Tally } from '../protocol/statistics.ts';
import type { Welcome } from '../protocol/welcome.ts';
import { WorkerSession } from './channel/worker-session.ts';
import type { Coherence } from './coherence/coherence.ts';
import type { RecordHolder } from './coherence/handshake.ts';
import type { Storage } from './store/storage.ts';

/** A worker that is silent for this long is killed; it reports each second. */
const SILENCE_MAX_MS = 5000;
const CHECK_SIGNS_MS = 500;
/** A worker may take this long until it listens, beside what it waits for the store. */
const START_MAX_MS = 30_000;

/** Workers of a bit are asked together, where there are more than bits. */
const BITS = 32;

export interface WorkerEvents {
  onReady(worker: WorkerProcess): void;
  /** The process has ended; `lifeMs` is the time since it was ready, undefined when it never was. */
  onExit(worker: WorkerProcess, lifeMs: number | undefined): void;
}

export interface WorkerProcessOptions {
  readonly welcome: Welcome;
  /** Who keeps track of the records that it holds; left out where it holds none. */
  readonly coherence: Coherence | undefined;
  /** The store, once it is open; never rejects. */
  readonly opened: Promise<Storage>;
  /** Which of the workers that run at a time it is, from 0 on; its successor has the same. */
  readonly slot: number;
  readonly sumCounters: () => Promise<Counters>;
  readonly sumStatistics: () => Promise<Statistics>;
  readonly log: Logger;
  readonly events: WorkerEvents;
}

export class WorkerProcess implements RecordHolder {
  readonly #process: ChildProcess;
  readonly #session: WorkerSession;
  readonly #log: Logger;
  readonly #watch: NodeJS.Timeout;
  #startingAtMs = performance.now();
  #readyAtMs: number | undefined;
  #lastSignMs = performance.now();
  #lastCheckMs = performance.now();
  /** What the worker last reported; added to the total when it dies. */
  counters: Counters = newCounters();
  savings = new Savings();
  tally: Tally = [];
  figures: ProcessFigures = newFigures(PROCESS_FIGURES);
  readonly slot: number;
  readonly bit: number;
  readonly exited: Promise<void>;
  #isDraining = false;

  /** Takes over a process that `startWorkerProcess` just started. */
  constructor(started: ChildProcess, options: WorkerProcessOptions) {
    const { welcome, events } = options;
    this.slot = options.slot;
    this.bit = 1 << (options.slot % BITS);
    this.#log = options.log.child({ worker: welcome.writer });
    this.#process = started;
    this.exited = new Promise((resolve) => {
      started.on('exit', () => resolve());
    });
    this.#session = new WorkerSession({
      stream: this.#process.stdio[3] as Duplex,
      welcome,
      opened: options.opened,
      ...(options.coherence === undefined
        ? {}
        : { holding: { coherence: options.coherence, holder: this } }),
      sumCounters: options.sumCounters,
      sumStatistics: options.sumStatistics,
      log: this.#log,
      events: {
        onReady: () => {
          this.#readyAtMs = performance.now();
          // On a busy machine the start alone may take longer than a silence may last.
          this.#lastSignMs = this.#readyAtMs;
          events.onReady(this);
        },
        onReport: (counters) => {
          this.#lastSignMs = performance.now();
          this.counters = counters;
        },
        onSavings: (savings) => {
          this.savings = savings;
        },
        onTally: (tally, figures) => {
          this.tally = tally;
          this.figures = figures;
        },
        onClose: (error) => this.#channelClosed(error),
      },
    });
    this.#process.on('exit', (code, signal) => {
      clearInterval(this.#watch);
      if (!this.#isDraining) this.#log.warn({ code, signal, workerPid: this.pid }, 'a worker died');
      // What it sent is still read from the channel to its end, which seals its segments.
      events.onExit(
        this,
        this.#readyAtMs === undefined ? undefined : performance.now() - this.#readyAtMs,
      );
    });
    this.#watch = setInterval(() => this.#checkSigns(), CHECK_SIGNS_MS);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get isReady(): boolean {
    return this.#readyAtMs !== undefined && this.#isAlive;
  }

  get #isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get session(): WorkerSession {
    return this.#session;
  }

  drain(): void {
    this.#isDraining = true;
    // One that is still loading would hear of it late.
    if (this.#session.holdsNothing) this.kill();
    else this.#session.drain();
  }

  drop(buckets: readonly number[] | undefined): Promise<void> {
    return this.#session.dropRecords(buckets);
  }

  /** Ends the process at once; `why` is logged. */
  kill(why?: string): void {
    if (why !== undefined) this.#log.error({ workerPid: this.pid }, `a worker is killed: ${why}`);
    this.#process.kill('SIGKILL');
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
    if (this.#isAlive) setTimeout(() => this.kill(), error === undefined ? 2000 : 0).unref();
  }

  #checkSigns(): void {
    const now = performance.now();
    // After a pause of this process the worker's signs are still unread: they are judged next time.
    const hasPaused = now - this.#lastCheckMs > 3 * CHECK_SIGNS_MS;
    this.#lastCheckMs = now;
    if (hasPaused) {
      this.#lastSignMs = now;
      this.#startingAtMs = now;
      return;
    }
    if (this.#readyAtMs === undefined) {
      // Opening a large index that is damaged may take hours.
      if (this.#session.awaitsStore) this.#startingAtMs = now;
      if (now - this.#startingAtMs < START_MAX_MS) return;
      this.#log.error({ workerPid: this.pid }, 'a worker did not get ready in time and is killed');
    } else {
      if (now - this.#lastSignMs < SILENCE_MAX_MS) return;
      this.#log.error({ workerPid: this.pid }, 'a worker is silent and is killed');
    }
    this.kill();
  }
}
