/**
 * Where the JSON of a batch is read: here and now, or, when it is long, in a thread: a text of 16 MiB takes more
 * than a second, in which the other requests of the worker would stand still.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { moduleUrl } from '../../protocol/module-url.ts';
import { ownBytes } from '../body/own-bytes.ts';
import { ThreadPool } from '../thread-pool.ts';
import { fromSent, type ItemsRequest, type ItemsResult } from './items-thread.ts';
import { jsonItems } from './json.ts';
import type { Exact } from './values.ts';

/** Longer ones go to the thread; one of this size takes 0.4 to 2 ms. */
const INLINE_BYTES_MAX = 64 * 1024;
/** Batches that wait for the thread: as many as the upload budget holds. */
const QUEUE_MAX = 1024;

export class ItemsReader {
  readonly #threads = new ThreadPool<ItemsRequest, ItemsResult>({
    filename: moduleUrl('./items-thread', import.meta.url).href,
    threadsMax: 1,
    queueMax: QUEUE_MAX,
  });

  /**
   * The items of a JSON batch, whose bytes belong to the reader from here on. Throws BigCacheError:
   * BODY_INVALID, OVERLOADED.
   */
  read(body: Buffer, itemsMax: number): readonly Exact[] | Promise<readonly Exact[]> {
    if (body.length <= INLINE_BYTES_MAX) return jsonItems(body, itemsMax);
    return this.#readInThread(ownBytes(body), itemsMax);
  }

  async #readInThread(bytes: ArrayBuffer, itemsMax: number): Promise<readonly Exact[]> {
    const { items } = await this.#threads.run({ bytes, itemsMax }, bytes);
    if (items === undefined) throw new BigCacheError('INTERNAL');
    return items.map(fromSent);
  }

  /** Ends the thread; a batch that is being read rejects. */
  async close(): Promise<void> {
    await this.#threads.close();
  }
}
