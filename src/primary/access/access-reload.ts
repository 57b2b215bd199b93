/**
 * SIGHUP, in the primary: the files are read again and all workers are told, one reload after the other.
 */
import type { Logger } from 'pino';
import type { Access } from '../../protocol/access.ts';
import type { AccessFiles } from './access-files.ts';

/** Whoever must know what is in force: all workers, and those that are started later. */
export interface AccessTaker {
  /** Resolves when no worker goes by what was before. */
  takeAccess(access: Access): Promise<void>;
}

export class AccessReload {
  readonly #files: AccessFiles;
  readonly #log: Logger;
  /** Undefined while the server starts. */
  #taker: AccessTaker | undefined;
  #isRunning = false;
  #isAskedAgain = false;
  #onSignal: (() => void) | undefined;

  constructor(files: AccessFiles, log: Logger) {
    this.#files = files;
    this.#log = log;
  }

  /**
   * Obeys SIGHUP from now on. Without files the signal keeps its usual meaning, the end of the process,
   * as when its terminal is closed.
   */
  listen(): void {
    if (this.#files.isEmpty) return;
    this.#onSignal = () => this.request();
    process.on('SIGHUP', this.#onSignal);
  }

  /** `taker` is told of what is read from now on. */
  tell(taker: AccessTaker): void {
    this.#taker = taker;
  }

  stop(): void {
    if (this.#onSignal !== undefined) process.off('SIGHUP', this.#onSignal);
  }

  /** Reloads; any number of requests during a reload ask for one more. */
  request(): void {
    this.#isAskedAgain = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      const access = await this.#files.reload();
      await this.#taker?.takeAccess(access);
      this.#log.info(
        { tokens: access.tokens?.map(({ name }) => name) ?? null, tls: access.tls !== null },
        'tokens and certificate are in force in all workers',
      );
    }
    this.#isRunning = false;
  }
}
