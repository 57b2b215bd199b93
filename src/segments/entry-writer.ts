/**
 * The writing of one entry, whoever writes it: its body into a segment, then its record to the index.
 */
import { BigCacheError } from '../protocol/errors.ts';
import { type EntryMeta, encodeRecord } from '../protocol/record.ts';
import { WHOLE_BODY_BYTES_MAX } from './body-reader.ts';
import type { AppendMeta } from './format.ts';
import type { Placed, SegmentLog } from './segment-log.ts';

/** What a commit answers: the entry's version, and whether nothing readable was there before. */
export interface Committed {
  readonly version: number;
  readonly created: boolean;
}

/** A written entry: how it was committed and where its body lies. */
export interface Written extends Committed {
  readonly placed: Placed;
}

export interface EntryWriterOptions {
  readonly segments: SegmentLog;
  /** Makes a record valid whose body is in a segment of this writer. */
  readonly commit: (key: string, record: Buffer) => Promise<Committed>;
  readonly now: () => number;
}

/** What the original's face does not say about an entry. */
const BARE = {
  staleWhileRevalidateUntilMs: 0,
  staleIfErrorUntilMs: 0,
  etag: null,
  contentEncoding: null,
  tags: [],
  costMs: 0,
} as const;

export class EntryWriter {
  readonly #options: EntryWriterOptions;

  constructor(options: EntryWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes an entry; when this resolves, it is committed. Rejects with what the body throws, or with
   * the error of the append or the commit; then a body that was appended is voided.
   */
  async write(
    key: string,
    meta: EntryMeta,
    body: Buffer | AsyncIterable<Buffer>,
  ): Promise<Written> {
    const keyBytes = Buffer.from(key);
    const storedAtMs = this.#options.now();
    const describe = (plainBytes: number): AppendMeta => ({
      ...meta,
      ...BARE,
      storedAtMs,
      plainBytes,
    });
    const placed = await this.#place(keyBytes, meta, body, describe);
    const record = encodeRecord(keyBytes, {
      ...describe(placed.storedBytes),
      kind: meta.kind,
      version: 0,
      pointer: placed.pointer,
      storedBytes: placed.storedBytes,
      checksums: placed.checksums,
    });
    let isValid = false;
    try {
      const committed = await this.#options.commit(key, record);
      isValid = true;
      return { ...committed, placed };
    } catch (error) {
      // In doubt: the commit may still happen, so its append must stay valid.
      isValid = error instanceof BigCacheError && error.code === 'DEADLINE_EXCEEDED';
      throw error;
    } finally {
      placed.settle(isValid);
    }
  }

  /** Small bodies share a segment; a body that is long, or may become so, gets one of its own. */
  async #place(
    key: Buffer,
    { kind }: EntryMeta,
    body: Buffer | AsyncIterable<Buffer>,
    describe: (plainBytes: number) => AppendMeta,
  ): Promise<Placed> {
    const { segments } = this.#options;
    if (Buffer.isBuffer(body) && body.length <= WHOLE_BODY_BYTES_MAX) {
      return segments.append(key, kind, describe(body.length), body);
    }
    const start = await takeStart(Buffer.isBuffer(body) ? once(body) : body);
    if (start.rest === undefined) {
      return segments.append(key, kind, describe(start.bytes.length), start.bytes);
    }
    return segments.appendStream(key, kind, chain(start.bytes, start.rest), describe);
  }
}

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

async function* chain(start: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield start;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}

/**
 * Reads up to one byte more than a shared segment takes. `rest` goes on where `bytes` ends, and is
 * undefined when that was all.
 */
async function takeStart(
  body: AsyncIterable<Buffer>,
): Promise<{ bytes: Buffer; rest: AsyncIterator<Buffer> | undefined }> {
  const iterator = body[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  let bytes = 0;
  while (bytes <= WHOLE_BODY_BYTES_MAX) {
    const { done, value } = await iterator.next();
    if (done === true) return { bytes: Buffer.concat(chunks, bytes), rest: undefined };
    chunks.push(value);
    bytes += value.length;
  }
  return { bytes: Buffer.concat(chunks, bytes), rest: iterator };
}
