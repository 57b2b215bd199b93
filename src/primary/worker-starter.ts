/**
 * Starts the processes of workers, the first ones ahead of their time: a worker takes as long to load
 * as a large index to be opened, so they load meanwhile and wait to be greeted.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { moduleUrl } from '../protocol/module-url.ts';

/** The worker's own file: under pm2 the main module is pm2's, not ours. */
const WORKER_FILE = fileURLToPath(moduleUrl('../workers/main', import.meta.url));

/**
 * Half of V8's own choice. A worker's garbage is short-lived; with 16 MiB its heap alone took 20 MB more
 * under uploads, and requests took no less CPU (docs/decisions/worker-memory.md).
 */
const YOUNG_HEAP = '--max-semi-space-size=8';

export interface WorkerStarterOptions {
  readonly indexPath: string;
  /** The descriptor of the listening socket. */
  readonly listeningFd: number;
  readonly log: Logger;
}

export class WorkerStarter {
  readonly #options: WorkerStarterOptions;
  readonly #ahead: ChildProcess[] = [];

  constructor(options: WorkerStarterOptions) {
    this.#options = options;
  }

  /** Starts processes that `next` will give. One that cannot be started is tried again then. */
  startAhead(count: number): void {
    for (let nth = 0; nth < count; nth++) {
      const started = this.#start();
      if (started !== undefined) this.#ahead.push(started);
    }
  }

  /**
   * A process that has not been greeted yet. Its descriptors: 0 to 2 as usual, 3 the channel, 4 the
   * listening socket. Undefined when the system has no process or descriptor left for it.
   */
  next(): ChildProcess | undefined {
    for (let one = this.#ahead.shift(); one !== undefined; one = this.#ahead.shift()) {
      if (one.exitCode === null && one.signalCode === null) return one;
    }
    return this.#start();
  }

  /** Kills those that were started ahead and that nobody took. */
  end(): void {
    for (const one of this.#ahead.splice(0)) one.kill('SIGKILL');
  }

  #start(): ChildProcess | undefined {
    const { log } = this.#options;
    const report = (error: unknown): void =>
      log.error({ err: error }, 'a worker cannot be started');
    try {
      const started = this.#spawn();
      started.on('error', report);
      return started.pid === undefined ? undefined : started;
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  #spawn(): ChildProcess {
    const { indexPath, listeningFd } = this.#options;
    // A debugger's port can be used by one process only.
    const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--inspect'));
    return spawn(process.execPath, [YOUNG_HEAP, ...execArgv, WORKER_FILE], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', listeningFd],
      env: { ...process.env, BIGCACHE_INDEX_PATH: indexPath },
    });
  }
}
