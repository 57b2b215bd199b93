/**
 * What commands may ask of the running server: who it is, a backup, a restore; one backup or restore at
 * a time. Run by the primary.
 */
import type { Logger } from 'pino';
import { PACKAGE_VERSION } from '../../protocol/package-version.ts';
import { CannotRunError } from '../exit.ts';
import { type OnlineRestore, restoreOnline } from '../store/backup/restore.ts';
import type { ControlService } from './control-server.ts';
import type { ControlProgress, ControlRequest, ControlResults } from './messages.ts';

export class StoreService implements ControlService {
  readonly #store: OnlineRestore;
  readonly #log: Logger;
  readonly #startedAtMs = performance.now();
  #underWay: 'backup' | 'restore' | undefined;

  constructor(store: OnlineRestore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  async serve(
    request: ControlRequest,
    signal: AbortSignal,
    onProgress: (progress: ControlProgress) => void,
  ): Promise<ControlResults[keyof ControlResults]> {
    if (request.op === 'status') {
      const uptimeMs = performance.now() - this.#startedAtMs;
      return { pid: process.pid, version: PACKAGE_VERSION, uptimeMs };
    }
    if (this.#underWay !== undefined) {
      throw new CannotRunError(`a ${this.#underWay} is under way already; try again after it`);
    }
    this.#underWay = request.op;
    const tell = (share: number, entries: number): void => onProgress({ share, entries });
    try {
      if (request.op === 'backup') {
        const { to, bytesPerSecond } = request;
        return await this.#store.storage.backUp({ to, bytesPerSecond, signal, onProgress: tell });
      }
      const { from, bytesPerSecond } = request;
      const wanted = { from, bytesPerSecond, signal, onProgress: tell };
      const restored = await restoreOnline(this.#store, wanted);
      this.#log.warn({ restore: restored }, 'the store was replaced by a backup');
      return restored;
    } finally {
      this.#underWay = undefined;
    }
  }
}
