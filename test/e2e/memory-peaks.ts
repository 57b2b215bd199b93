/**
 * The most anonymous memory that a server's processes have held, looked at while they work.
 */
import { anonymousBytes, isAlive, type ServerProcess } from './server-process.ts';

const LOOK_EVERY_MS = 500;

export interface Memory {
  readonly primaryBytes: number;
  /** Of the worker that holds the most. */
  readonly workerBytes: number;
}

export function memoryOf(server: ServerProcess): Memory {
  return {
    primaryBytes: anonymousBytes(server.pid),
    workerBytes: Math.max(...server.workerPids.map(anonymousBytes)),
  };
}

export class MemoryPeaks implements Memory {
  primaryBytes = 0;
  workerBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Looks at this server from now on, instead of the one before. */
  watch(server: ServerProcess): void {
    this.stop();
    const look = (): void => {
      if (!isAlive(server.pid)) return;
      const { primaryBytes, workerBytes } = memoryOf(server);
      this.primaryBytes = Math.max(this.primaryBytes, primaryBytes);
      this.workerBytes = Math.max(this.workerBytes, workerBytes);
    };
    look();
    this.#timer = setInterval(look, LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
