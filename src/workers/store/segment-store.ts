/**
 * The store of a worker: records from the index, bodies from and to segments on the same disk.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import {
  decodeRecord,
  type EntryMeta,
  type EntryRecord,
  encodeRecord,
  versionOf,
} from '../../protocol/record.ts';
import { type BodyReader, WHOLE_BODY_BYTES_MAX, warmItem } from '../../segments/body-reader.ts';
import { SegmentDamage } from '../../segments/faults.ts';
import type { AppendMeta } from '../../segments/format.ts';
import type { Placed, SegmentLog } from '../../segments/segment-log.ts';
import type { WarmSet } from '../../segments/warm-set.ts';
import type { EntryIndex } from './entry-index.ts';
import type { BodySource, Framing, Hit, Miss, Store, Stored } from './store.ts';

export interface SegmentStoreOptions {
  readonly index: EntryIndex;
  readonly segments: SegmentLog;
  readonly bodies: BodyReader;
  readonly warm: WarmSet<number>;
  readonly now: () => number;
  /** Told of every entry that was found damaged; it has been dropped. */
  readonly onDamage: (key: string, what: string) => void;
}

/** A body may be moved while it is being read; it is not moved this often. */
const READ_ATTEMPTS_MAX = 4;
const EMPTY = Buffer.alloc(0);
const NO_FRAMING: Framing = { prologue: EMPTY, epilogue: EMPTY };
const NEVER_SEEN: Miss = { found: false, reason: 'never-seen' };

export class SegmentStore implements Store {
  readonly #options: SegmentStoreOptions;

  constructor(options: SegmentStoreOptions) {
    this.#options = options;
  }

  async get(key: string, frame?: (record: EntryRecord) => Framing): Promise<Hit | Miss> {
    let failed: EntryRecord | undefined;
    for (let attempt = 0; attempt < READ_ATTEMPTS_MAX; attempt++) {
      const record = await this.find(key);
      if ('found' in record) return record;
      if (failed !== undefined && isSameBody(failed, record)) break;
      const { prologue, epilogue } = frame?.(record) ?? NO_FRAMING;
      try {
        const content =
          this.#options.bodies.openWarm(record, prologue, epilogue) ??
          (await this.#options.bodies.open(record, prologue, epilogue));
        return { found: true, record, content };
      } catch (error) {
        if (!(error instanceof SegmentDamage)) throw error;
        failed = record;
      }
    }
    if (failed !== undefined) await this.#dropDamaged(key, failed.version, 'body');
    return NEVER_SEEN;
  }

  async find(key: string): Promise<EntryRecord | Miss> {
    const found = await this.#options.index.lookUp(key);
    if (typeof found === 'string') return { found: false, reason: found };
    const record = decodeRecord(Buffer.from(key), found);
    if (record !== undefined) return record;
    await this.#dropDamaged(key, versionOf(found), 'record');
    return NEVER_SEEN;
  }

  async put(key: string, meta: EntryMeta, body: BodySource): Promise<Stored> {
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
    let committed = false;
    try {
      const { version, created } = await this.#options.index.commit(key, record);
      committed = true;
      this.#options.warm.add(warmItem(placed.pointer));
      return { version, created, plainBytes: placed.storedBytes };
    } catch (error) {
      // In doubt: the commit may still happen, so its append must stay valid.
      committed = error instanceof BigCacheError && error.code === 'DEADLINE_EXCEEDED';
      throw error;
    } finally {
      placed.settle(committed);
    }
  }

  delete(key: string): Promise<boolean> {
    return this.#options.index.delete(key);
  }

  deletePrefix(prefix: string): Promise<number> {
    return this.#options.index.deletePrefix(prefix);
  }

  clear(): Promise<void> {
    return this.#options.index.clear();
  }

  count(): Promise<number> {
    return this.#options.index.count();
  }

  close(): Promise<void> {
    return this.#options.index.close();
  }

  open(): Promise<void> {
    return this.#options.index.open();
  }

  /** Small bodies share a segment; a body that is long, or may become so, gets one of its own. */
  async #place(
    key: Buffer,
    meta: EntryMeta,
    body: BodySource,
    describe: (plainBytes: number) => AppendMeta,
  ): Promise<Placed> {
    const { segments } = this.#options;
    if (Buffer.isBuffer(body) && body.length <= WHOLE_BODY_BYTES_MAX) {
      return segments.append(key, meta.kind, describe(body.length), body);
    }
    const start = await takeStart(Buffer.isBuffer(body) ? once(body) : body);
    if (start.rest === undefined) {
      return segments.append(key, meta.kind, describe(start.bytes.length), start.bytes);
    }
    return segments.appendStream(key, meta.kind, chain(start.bytes, start.rest), describe);
  }

  async #dropDamaged(key: string, version: number, what: string): Promise<void> {
    this.#options.onDamage(key, what);
    await this.#options.index.dropDamaged(key, version);
  }
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

function isSameBody(one: EntryRecord, other: EntryRecord): boolean {
  return (
    one.version === other.version &&
    one.pointer.segment === other.pointer.segment &&
    one.pointer.offset === other.pointer.offset
  );
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
