/**
 * The workers' lives together: as many as configured, replaced when they die, drained when the server
 * stops. Also what needs all of them: the sum of their counters, messages to everyone.
 */
import type { Logger } from 'pino';
import type { Access } from '../protocol/access.ts';
import { addCounters, type Counters, newCounters } from '../protocol/counters.ts';
import { Savings } from '../protocol/savings.ts';
import { addTally, type Statistics } from '../protocol/statistics.ts';
import type { Welcome } from '../protocol/welcome.ts';
import type { Coherence } from './coherence/coherence.ts';
import { evenShare } from './even-share.ts';
import { CannotRunError } from './exit.ts';
import type { ListeningSocket } from './listening-socket.ts';
import { PrimaryFigures } from './primary-figures.ts';
import type { Storage } from './store/storage.ts';
import { WorkerProcess } from './worker-process.ts';
import { startWorkerProcess } from './worker-starter.ts';

export interface SupervisorOptions {
  readonly workers: number;
  readonly welcome: Omit<Welcome, 'writer'>;
  readonly indexPath: string;
  readonly listening: ListeningSocket;
  /** Who keeps track of the records that the workers hold; left out where they hold none. */
  readonly coherence: Coherence | undefined;
  readonly log: Logger;
}

/** GET /stat waits this long for a worker, then takes what it last reported. */
const COLLECT_MS = 200;
const SEAL_ALL_MS = 5000;
const TAKE_ACCESS_MS = 5000;
/** A worker that dies sooner after it was ready counts as failing to start. */
const EARLY_DEATH_MS = 1000;
/** So many early deaths before the server has started mean that it cannot. */
const EARLY_DEATHS_AT_START_MAX = 10;
const TELL_SHARES_EVERY_MS = 1000;
const BACK_OFF_MIN_MS = 100;
const BACK_OFF_MAX_MS = 5000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Set<WorkerProcess>();
  /** Counters of workers that are gone. */
  readonly #retired = newCounters();
  readonly #retiredSavings = new Savings();
  readonly #retiredTally: number[] = [];
  readonly #figures = new PrimaryFigures();
  #deaths = 0;
  #storage: Storage | undefined;
  #open: (storage: Storage) => void = () => undefined;
  readonly #opened = new Promise<Storage>((resolve) => {
    this.#open = resolve;
  });
  #lastWriter = 0;
  #access: Access;
  /** Workers that are still to be started, after the early death of another. */
  readonly #backOffs = new Set<NodeJS.Timeout>();
  #earlyDeaths = 0;
  readonly #shares: NodeJS.Timeout;
  #isStopping = false;
  readonly #watchers = new Set<() => void>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#access = options.welcome.access;
    this.#shares = setInterval(() => this.#tellShares(), TELL_SHARES_EVERY_MS).unref();
  }

  /**
   * Starts all workers. They take as long to load and to build their servers as a large index to be
   * opened, so they do it meanwhile.
   */
  start(): void {
    for (let nth = 0; nth < this.#options.workers; nth++) this.#fork();
  }

  /**
   * Lets the workers serve the store; resolves when all listen, or when the server is asked to stop
   * before. Throws a CannotRunError when they die again and again.
   */
  async serve(storage: Storage): Promise<void> {
    this.#storage = storage;
    this.#open(storage);
    const isHopeless = (): boolean => this.#earlyDeaths >= EARLY_DEATHS_AT_START_MAX;
    await this.#until(() => this.#isStopping || this.#areAllReady() || isHopeless());
    if (isHopeless()) throw new CannotRunError('the workers die while they start; see the log');
  }

  /** The counters of all workers since the server's start, dead ones included. */
  async sumCounters(): Promise<Counters> {
    await Promise.all([...this.#workers].map((one) => one.collect(COLLECT_MS)));
    return this.#knownCounters;
  }

  /** All in one turn, in which no worker is retired: one that died meanwhile counts once. */
  get #knownCounters(): Counters {
    const sum = { ...this.#retired };
    for (const worker of this.#workers) addCounters(sum, worker.counters);
    return sum;
  }

  /** Everything that is counted; each worker tells the rest before it answers with its counters. */
  async sumStatistics(): Promise<Statistics> {
    await this.sumCounters();
    const savings = new Savings();
    savings.addAll(this.#retiredSavings);
    const tally = [...this.#retiredTally];
    const processes = this.#figures.places(this.#options.workers);
    for (const worker of this.#workers) {
      savings.addAll(worker.savings);
      addTally(tally, worker.tally);
      processes[1 + worker.slot] = worker.figures;
    }
    const ready = [...this.#workers].filter(({ isReady }) => isReady).length;
    const workers = { ready, wanted: this.#options.workers, deaths: this.#deaths };
    const server = this.#figures.server(workers);
    return { counters: this.#knownCounters, savings, tally, processes, server, ...this.#stored };
  }

  get #stored(): Pick<Statistics, 'store' | 'storeCounts'> {
    if (this.#storage === undefined)
      throw new Error('INVARIANT: workers ask when there is a store');
    return this.#storage.statistics;
  }

  /** The lowest place that no living worker has. */
  get #freeSlot(): number {
    const taken = new Set([...this.#workers].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    return slot;
  }

  dropSegment(segment: number): void {
    for (const worker of this.#workers) worker.session.dropSegment(segment);
  }

  retireSegment(segment: number): void {
    for (const worker of this.#workers) worker.session.retireSegment(segment);
  }

  /** Resolves when no living worker has a segment open. */
  async sealAll(): Promise<void> {
    await Promise.all(
      [...this.#workers].map((worker) =>
        worker.session.sealAll(SEAL_ALL_MS).catch((error: unknown) => {
          // A worker that dies meanwhile writes nothing either; one that hangs must not write on.
          this.#options.log.warn({ err: error }, 'a worker did not seal in time and is killed');
          worker.kill();
        }),
      ),
    );
  }

  /** Tells all workers, and those to come; one that does not obey is replaced. */
  async takeAccess(access: Access): Promise<void> {
    this.#access = access;
    await Promise.all(
      [...this.#workers].map((worker) =>
        worker.session.takeAccess(access, TAKE_ACCESS_MS).catch((error: unknown) => {
          if (this.#isStopping) return;
          this.#options.log.warn({ err: error }, 'a worker did not take the tokens and is killed');
          worker.kill();
        }),
      ),
    );
  }

  /**
   * Asks all workers to finish and leave; kills those that have not after `timeoutMs`. The socket is
   * closed here first and by the workers last, so that no connection waits with nobody to accept it.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.#isStopping = true;
    this.#options.listening.close();
    for (const timer of this.#backOffs) clearTimeout(timer);
    clearInterval(this.#shares);
    this.#onChange();
    for (const worker of this.#workers) worker.drain();
    const deadline = setTimeout(() => this.#killAll('the drain timeout is over'), timeoutMs);
    await this.#until(() => this.#workers.size === 0);
    clearTimeout(deadline);
  }

  /** Has those with too many connections give some up; see src/workers/surplus.ts. */
  #tellShares(): void {
    const ready = [...this.#workers].filter(({ isReady }) => isReady);
    if (ready.length < 2) return;
    const share = evenShare(ready.map(({ figures }) => figures.connectionsOpen));
    for (const { session } of ready) session.tellShare(share);
  }

  #killAll(reason: string): void {
    for (const worker of this.#workers) {
      this.#options.log.warn({ workerPid: worker.pid }, `a worker is killed: ${reason}`);
      worker.kill();
    }
  }

  #fork(): void {
    if (this.#isStopping) return;
    this.#lastWriter += 1;
    const { indexPath, listening, log } = this.#options;
    const started = startWorkerProcess({ indexPath, listeningFd: listening.fd, log });
    if (started === undefined) {
      this.#replace(undefined);
      return;
    }
    const worker = new WorkerProcess(started, {
      welcome: { ...this.#options.welcome, access: this.#access, writer: this.#lastWriter },
      opened: this.#opened,
      coherence: this.#options.coherence,
      sumCounters: () => this.sumCounters(),
      sumStatistics: () => this.sumStatistics(),
      slot: this.#freeSlot,
      log,
      events: {
        onReady: (ready) => {
          log.debug({ workerPid: ready.pid }, 'a worker is ready');
          this.#onChange();
        },
        onExit: (gone, lifeMs) => this.#exited(gone, lifeMs),
      },
    });
    this.#workers.add(worker);
    this.#options.coherence?.join(worker);
  }

  #exited(worker: WorkerProcess, lifeMs: number | undefined): void {
    this.#workers.delete(worker);
    this.#options.coherence?.leave(worker);
    addCounters(this.#retired, worker.counters);
    this.#retiredSavings.addAll(worker.savings);
    addTally(this.#retiredTally, worker.tally);
    if (this.#isStopping) {
      this.#onChange();
      return;
    }
    this.#deaths += 1;
    this.#replace(lifeMs);
  }

  /** Starts a successor: at once, or after a pause when its predecessor died early or never lived. */
  #replace(lifeMs: number | undefined): void {
    this.#earlyDeaths = (lifeMs ?? 0) < EARLY_DEATH_MS ? this.#earlyDeaths + 1 : 0;
    this.#onChange();
    if (this.#earlyDeaths === 0) {
      this.#fork();
      return;
    }
    const delayMs = Math.min(BACK_OFF_MIN_MS * 2 ** (this.#earlyDeaths - 1), BACK_OFF_MAX_MS);
    this.#options.log.warn({ delayMs }, 'a worker died early; its successor waits');
    const timer = setTimeout(() => {
      this.#backOffs.delete(timer);
      this.#fork();
    }, delayMs);
    this.#backOffs.add(timer);
  }

  #onChange(): void {
    for (const check of [...this.#watchers]) check();
  }

  #areAllReady(): boolean {
    const ready = [...this.#workers].filter((worker) => worker.isReady);
    return ready.length >= this.#options.workers;
  }

  #until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isTrue()) return;
        this.#watchers.delete(check);
        resolve();
      };
      this.#watchers.add(check);
      check();
    });
  }
}
