/**
 * Where a JSON body is inspected: here and now, or, when it is large, in a thread, so that no body
 * holds up the other requests of its worker. Owns the worker's pool of threads.
 */
import { Piscina } from 'piscina';
import { BigCacheError } from '../../protocol/errors.ts';
import { moduleUrl } from '../../protocol/module-url.ts';
import { ownBytes } from '../body/own-bytes.ts';
import { type Inspection, inspectBody } from './inspect.ts';
import type { ThreadResult } from './inspect-thread.ts';

/** Larger bodies go to a thread; one of this size, made of small tokens, takes about 8 ms. */
const INLINE_BYTES_MAX = 256 * 1024;
/** Bodies that wait for a thread. Their bytes are bounded by the upload budget. */
const QUEUE_MAX = 64;
const THREADS_MAX = 2;
/** Starting a thread costs some 30 ms, so it waits this long for its next body. */
const IDLE_TIMEOUT_MS = 10_000;

/** A body, and what it says. `body` may be another Buffer than the one that was given. */
export interface Inspected {
  readonly body: Buffer;
  readonly inspection: Inspection;
}

const THREAD_FILE = moduleUrl('./inspect-thread', import.meta.url).href;

export class Inspector {
  #pool: Piscina<ArrayBuffer, ThreadResult> | undefined;

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
    this.#pool ??= new Piscina({
      filename: THREAD_FILE,
      minThreads: 0,
      maxThreads: THREADS_MAX,
      idleTimeout: IDLE_TIMEOUT_MS,
      maxQueue: QUEUE_MAX,
      recordTiming: false,
    });
    if (this.#pool.queueSize >= QUEUE_MAX) throw new BigCacheError('OVERLOADED');
    const result = await this.#pool.run(bytes, { transferList: [bytes] });
    if (result.refusal !== undefined) {
      throw new BigCacheError(result.refusal.code, result.refusal.detail);
    }
    if (result.inspection === undefined) throw new BigCacheError('INTERNAL');
    return { body: Buffer.from(result.bytes), inspection: result.inspection };
  }

  /** Ends the threads; inspections under way reject. */
  async close(): Promise<void> {
    await this.#pool?.destroy();
  }
}
