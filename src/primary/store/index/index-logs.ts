/**
 * The log files of the index on their way to the disk, in the primary. LevelDB syncs the current log
 * alone: a log that is full is closed as it is, and the name of a new one is not synced. So all of
 * them are synced here, through descriptors of our own; fdatasync works on the file, whoever wrote.
 *
 * A log that vanishes has become a table, which LevelDB synced before.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isShortage, toStoreError } from '../../../segments/faults.ts';
import { syncDirectory } from '../../directory/durable-files.ts';

const LOG_NAME = /^\d{6,}\.log$/;

interface CurrentLog {
  readonly name: string;
  readonly file: FileHandle;
}

export class IndexLogs {
  readonly #path: string;
  /** Logs whose names are on disk. */
  #named = new Set<string>();
  /** Logs that were synced after the last write to them. */
  #settled = new Set<string>();
  /** Held from one sync to the next, so that the system cannot forget an error in between. */
  #current: CurrentLog | undefined;
  #failure: Error | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Why a sync failed. It is never tried again: the system has dropped what it could not write. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Puts on disk all that was written to any log before the call. Rejects with `failure`, or with
   * what kept a file from being opened.
   */
  sync(): Promise<void> {
    return this.#inTurn(async (rotated, current) => {
      await this.#settle(rotated);
      if (current !== undefined) await this.#syncCurrent(current);
    });
  }

  /** The same without the bytes of the current log. */
  syncRotated(): Promise<void> {
    return this.#inTurn((rotated) => this.#settle(rotated));
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#current?.file.close();
    this.#current = undefined;
  }

  #inTurn(
    step: (rotated: readonly string[], current: string | undefined) => Promise<void>,
  ): Promise<void> {
    const turn = this.#turn.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      const logs = (await readdir(this.#path)).filter((name) => LOG_NAME.test(name));
      logs.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
      await this.#syncNames(logs);
      await step(logs.slice(0, -1), logs.at(-1));
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #syncNames(logs: readonly string[]): Promise<void> {
    if (!logs.every((name) => this.#named.has(name))) {
      try {
        await syncDirectory(this.#path);
      } catch (error) {
        if (!isShortage(error)) this.#failure = toStoreError(error);
        throw this.#failure ?? error;
      }
    }
    this.#named = new Set(logs);
  }

  /** INVARIANT: LevelDB writes to the newest log only, so what is synced here stays so. */
  async #settle(rotated: readonly string[]): Promise<void> {
    this.#settled = new Set(rotated.filter((name) => this.#settled.has(name)));
    for (const name of rotated) {
      if (this.#settled.has(name)) continue;
      const file = await this.#take(name);
      if (file === undefined) continue;
      try {
        await this.#syncFile(file);
      } finally {
        await file.close();
      }
      this.#settled.add(name);
    }
  }

  async #syncCurrent(name: string): Promise<void> {
    if (this.#current?.name !== name) {
      const file = await openIfThere(join(this.#path, name));
      await this.#current?.file.close();
      this.#current = file === undefined ? undefined : { name, file };
    }
    if (this.#current !== undefined) await this.#syncFile(this.#current.file);
  }

  /** The descriptor that is held for a log, or a new one; undefined when the log has vanished. */
  async #take(name: string): Promise<FileHandle | undefined> {
    const held = this.#current;
    if (held?.name !== name) return openIfThere(join(this.#path, name));
    this.#current = undefined;
    return held.file;
  }

  async #syncFile(file: FileHandle): Promise<void> {
    try {
      await file.datasync();
    } catch (error) {
      this.#failure = toStoreError(error);
      throw this.#failure;
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
