/**
 * Where a JSON body is inspected: here and now, or, when it is large, in a thread, so that no body
 * holds up the other requests of its worker. Owns the worker's pool of threads.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { moduleUrl } from '../../protocol/module-url.ts';
import { ownBytes } from '../body/own-bytes.ts';
import { ThreadPool } from '../thread-pool.ts';
import { type Inspection, inspectBody } from './inspect.ts';
import type { ThreadResult } from './inspect-thread.ts';

/** Larger bodies go to a thread; one of this size, made of small tokens, takes about 8 ms. */
const INLINE_BYTES_MAX = 256 * 1024;
/** Bodies that wait for a thread. Their bytes are bounded by the upload budget. */
const QUEUE_MAX = 64;
const THREADS_MAX = 2;

/** A body, and what it says. `body` may be another Buffer than the one that was given. */
export interface Inspected {
  readonly body: Buffer;
  readonly inspection: Inspection;
}

export class Inspector {
  readonly #threads = new ThreadPool<ArrayBuffer, ThreadResult>({
    filename: moduleUrl('./inspect-thread', import.meta.url).href,
    threadsMax: THREADS_MAX,
    queueMax: QUEUE_MAX,
  });

  /**
   * Inspects a whole body, which belongs to the inspector from here on.
   *
   * Throws BigCacheError: BODY_INVALID, EXPIRE_INVALID, DURATION_INVALID, OVERLOADED.
   */
  inspect(body: Buffer): Inspected | Promise<Inspected> {
    if (body.length <= INLINE_BYTES_MAX) return { body, inspection: inspectBody(body) };
    return this.#inspectInThread(ownBytes(body));
  }

  async #inspectInThread(bytes: ArrayBuffer): Promise<Inspected> {
    const result = await this.#threads.run(bytes, bytes);
    if (result.inspection === undefined) throw new BigCacheError('INTERNAL');
    return { body: Buffer.from(result.bytes), inspection: result.inspection };
  }

  /** Ends the threads; inspections under way reject. */
  async close(): Promise<void> {
    await this.#threads.close();
  }
}
