/**
 * Where the JSON of a batch is read: here and now, or, when it is long, in a thread: a text of 16 MiB takes more
 * than a second, in which the other requests of the worker would stand still.
 */
import { Piscina } from 'piscina';
import { BigCacheError } from '../../protocol/errors.ts';
import { moduleUrl } from '../../protocol/module-url.ts';
import { ownBytes } from '../body/own-bytes.ts';
import { fromSent, type ItemsRequest, type ItemsResult } from './items-thread.ts';
import { jsonItems } from './json.ts';
import type { Exact } from './values.ts';

/** Longer ones go to the thread; one of this size takes some 7 ms at most. */
const INLINE_BYTES_MAX = 64 * 1024;
/** Batches that wait for the thread: as many as the upload budget holds. */
const QUEUE_MAX = 1024;
/** Starting a thread costs some 30 ms, so it waits this long for its next batch. */
const IDLE_TIMEOUT_MS = 10_000;
const THREAD_FILE = moduleUrl('./items-thread', import.meta.url).href;

export class ItemsReader {
  #pool: Piscina<ItemsRequest, ItemsResult> | undefined;

  /** The items of a JSON batch, whose bytes belong to the reader from here on. Throws BigCacheError: BODY_INVALID, OVERLOADED. */
  read(body: Buffer, itemsMax: number): readonly Exact[] | Promise<readonly Exact[]> {
    if (body.length <= INLINE_BYTES_MAX) return jsonItems(body, itemsMax);
    return this.#readInThread(ownBytes(body), itemsMax);
  }

  async #readInThread(bytes: ArrayBuffer, itemsMax: number): Promise<readonly Exact[]> {
    this.#pool ??= new Piscina({
      filename: THREAD_FILE,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: IDLE_TIMEOUT_MS,
      maxQueue: QUEUE_MAX,
      recordTiming: false,
    });
    if (this.#pool.queueSize >= QUEUE_MAX) throw new BigCacheError('OVERLOADED');
    const { items, refusal } = await this.#pool.run({ bytes, itemsMax }, { transferList: [bytes] });
    if (refusal !== undefined) throw new BigCacheError(refusal.code, refusal.detail);
    if (items === undefined) throw new BigCacheError('INTERNAL');
    return items.map(fromSent);
  }

  /** Ends the thread; a batch that is being read rejects. */
  async close(): Promise<void> {
    await this.#pool?.destroy();
  }
}
