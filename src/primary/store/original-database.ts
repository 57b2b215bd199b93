/**
 * The database of the Python original, opened without ever writing to it: LevelDB works on hard links
 * of its files (copies, where links cannot be made), and leaves those that it finds as they are.
 */
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { lockHolder } from '../directory/index-lock.ts';
import { linkOrCopy } from '../directory/second-name.ts';
import { CannotRunError } from '../exit.ts';

/** One entry as the original stored it. */
export interface OriginalItem {
  readonly key: Buffer;
  readonly value: Buffer;
}

const END_OF_KEYS = Buffer.alloc(8193, 0xff);

export class OriginalDatabase {
  readonly #level: ClassicLevel<Buffer, Buffer>;
  readonly #aside: string;
  readonly #totalBytes: number;

  private constructor(level: ClassicLevel<Buffer, Buffer>, aside: string, totalBytes: number) {
    this.#level = level;
    this.#aside = aside;
    this.#totalBytes = totalBytes;
  }

  /**
   * Opens the database in `from`; its links are made in `aside`, which is removed again by `close`.
   * Throws a CannotRunError when there is none, or when a process still has it open.
   */
  static async open(from: string, aside: string): Promise<OriginalDatabase> {
    const source = await realpath(from).catch(() => {
      throw new CannotRunError(`there is no directory ${from}`);
    });
    await refuseOthers(source);
    await refuseOpened(source);
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside);
    for (const name of await readdir(source)) {
      const file = join(source, name);
      // Whoever opens LOCK and closes it takes the lock away from the original.
      if (name !== 'LOCK' && (await stat(file)).isFile()) await linkOrCopy(file, join(aside, name));
    }
    const level = new ClassicLevel<Buffer, Buffer>(aside, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      createIfMissing: false,
    });
    try {
      await level.open();
    } catch (cause) {
      await rm(aside, { recursive: true, force: true });
      throw new CannotRunError(`the database in ${source} cannot be opened: it is damaged`, {
        cause,
      });
    }
    const totalBytes = await level.approximateSize(Buffer.alloc(0), END_OF_KEYS);
    return new OriginalDatabase(level, aside, totalBytes);
  }

  /** The items after `key`, in the order of their keys, in chunks of at most `itemsMax`. */
  async *chunksAfter(key: Buffer | undefined, itemsMax: number): AsyncGenerator<OriginalItem[]> {
    const range = key === undefined ? {} : { gt: key };
    const iterator = this.#level.iterator({ ...range, fillCache: false });
    try {
      for (;;) {
        const items = await iterator.nextv(itemsMax);
        if (items.length === 0) return;
        yield items.map(([itemKey, value]) => ({ key: itemKey, value }));
      }
    } finally {
      await iterator.close();
    }
  }

  /** The share of the database, 0 to 1, that lies before `key`, as far as LevelDB can tell. */
  async shareBefore(key: Buffer): Promise<number> {
    if (this.#totalBytes === 0) return 1;
    const before = await this.#level.approximateSize(Buffer.alloc(0), key);
    return Math.min(1, before / this.#totalBytes);
  }

  async close(): Promise<void> {
    await this.#level.close();
    await rm(this.#aside, { recursive: true, force: true });
  }
}

async function refuseOthers(source: string): Promise<void> {
  const names = new Set(await readdir(source));
  if (names.has('bigcache.json')) {
    throw new CannotRunError(`${source} is a BigCache store already; pass it as --db-path`);
  }
  if (!names.has('CURRENT')) {
    throw new CannotRunError(`${source} holds no database of the original (no file CURRENT)`);
  }
}

/** Refuses a database that a process has locked, as far as the system tells. */
async function refuseOpened(source: string): Promise<void> {
  const holder = await lockHolder(source);
  if (holder === undefined) return;
  throw new CannotRunError(`${source} is in use by process ${holder}; stop the original first`);
}
