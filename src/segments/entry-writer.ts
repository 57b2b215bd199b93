/**
 * The writing of one entry, whoever writes it: its body into a segment, then its record to the index.
 */
import { BigCacheError, type ErrorCode } from '../protocol/errors.ts';
import { type EntryMeta, encodeRecord, RECORD_BYTES_MAX } from '../protocol/record.ts';
import { WHOLE_BODY_BYTES_MAX } from './body-reader.ts';
import type { BodyEncoder } from './compression/body-encoder.ts';
import { GZIP } from './compression/gzip-member.ts';
import { contentHashOf, HashedPieces } from './content-hash.ts';
import type { AppendMeta } from './format.ts';
import { type CommitCondition, type CommitGuard, guarded } from './guarded.ts';
import type { Placed, SegmentLog } from './segment-log.ts';

/** What a commit answers: the entry's version, and whether nothing readable was there before. */
export interface Committed {
  readonly version: number;
  readonly created: boolean;
}

/** A written entry: how it was committed and where its body lies. */
export interface Written extends Committed {
  readonly placed: Placed;
  /** Length of the body as it was given, in bytes. */
  readonly plainBytes: number;
  readonly contentHash: Buffer;
}

export interface EntryWriterOptions {
  readonly segments: SegmentLog;
  /**
   * Makes a record valid whose body is in a segment of this writer, where `condition` holds. Rejects
   * with PRECONDITION_FAILED where it does not, with LEASE_LOST where the token is no good.
   */
  readonly commit: (
    key: string,
    record: Buffer,
    condition: CommitCondition | undefined,
    leaseToken: string | undefined,
  ) => Promise<Committed>;
  readonly now: () => number;
  /** Compresses bodies where it pays; all are stored as they are where it is left out. */
  readonly encoder?: BodyEncoder | undefined;
}

const EMPTY: Buffer = Buffer.alloc(0);
/** A longer body that is here as a whole is hashed and written in pieces of this size. */
const PIECE_BYTES = 256 * 1024;

/** What need not be said about an entry. */
const BARE = {
  staleWhileRevalidateUntilMs: 0,
  staleIfErrorUntilMs: 0,
  tags: [],
  contentEncoding: null,
  costMs: 0,
} as const;

/** After these the commit may have happened, or may still happen, so its append must stay valid. */
const IN_DOUBT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DEADLINE_EXCEEDED',
  'STORE_UNAVAILABLE',
  'STORE_FAILED',
  'DISK_FULL',
]);

export class EntryWriter {
  readonly #options: EntryWriterOptions;

  constructor(options: EntryWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes an entry; when this resolves, it is committed, and what `guard` asked for was so. Rejects
   * with what the body throws, or with the error of the append or the commit; then a body that was
   * appended is voided. A piece of a body that is still arriving is not looked at any more once the next
   * was asked for.
   */
  async write(
    key: string,
    meta: EntryMeta,
    body: Buffer | AsyncIterable<Buffer>,
    guard?: CommitGuard,
    leaseToken?: string,
  ): Promise<Written> {
    const keyBytes = Buffer.from(key);
    const storedAtMs = this.#options.now();
    const plain = hashing(body);
    const stored = await this.#encoded(meta, await load(plain.content));
    const describe = (): AppendMeta => ({
      ...BARE,
      ...meta,
      storedAtMs,
      plainBytes: plain.bytes(),
      etag: plain.hash(),
      contentEncoding: stored.encoding,
    });
    const placed = await this.#place(keyBytes, meta, stored.content, describe);
    const record = encodeRecord(keyBytes, {
      ...describe(),
      kind: meta.kind,
      version: 0,
      pointer: placed.pointer,
      storedBytes: placed.storedBytes,
      checksums: placed.checksums,
    });
    let isValid = false;
    try {
      requireRecordFits(record);
      const { commit } = this.#options;
      const committed = await (guard === undefined
        ? commit(key, record, undefined, leaseToken)
        : guarded(guard, (condition) => commit(key, record, condition, leaseToken)));
      isValid = true;
      return { ...committed, placed, plainBytes: plain.bytes(), contentHash: plain.hash() };
    } catch (error) {
      isValid = error instanceof BigCacheError && IN_DOUBT.has(error.code);
      throw error;
    } finally {
      placed.settle(isValid);
    }
  }

  /** The body in the form in which it is stored. */
  async #encoded(meta: EntryMeta, content: Loaded): Promise<StoredForm> {
    const asGiven = { content, encoding: null };
    const { encoder } = this.#options;
    if (encoder === undefined) return asGiven;
    if (Buffer.isBuffer(content)) {
      const encoded = await encoder.encode(meta, content);
      return encoded === undefined ? asGiven : { content: encoded, encoding: GZIP };
    }
    const pieces = chain(content);
    const encoded = encoder.encodeStream(meta, content.start, pieces);
    if (encoded === undefined) return asGiven;
    return { content: await load(encoded), encoding: GZIP };
  }

  /** Small bodies share a segment; a body that is long gets one of its own. */
  async #place(
    key: Buffer,
    { kind }: EntryMeta,
    body: Loaded,
    describe: () => AppendMeta,
  ): Promise<Placed> {
    const { segments } = this.#options;
    if (Buffer.isBuffer(body)) return segments.append(key, kind, describe(), body);
    try {
      return await segments.appendStream(key, kind, chain(body), describe);
    } catch (error) {
      // Where no segment was granted nobody has begun to read the rest, so nobody else ends it.
      await body.rest.return?.();
      throw error;
    }
  }
}

/** A body that fits a shared segment, or the start of one that does not. */
type Loaded = Buffer | Begun;

interface StoredForm {
  readonly content: Loaded;
  readonly encoding: string | null;
}

/** A longer record would break the channel, and with it everything else that is under way there. */
function requireRecordFits(record: Buffer): void {
  if (record.length <= RECORD_BYTES_MAX) return;
  throw new BigCacheError('REQUEST_INVALID', 'What is said about the entry is too long.');
}

/** A body as it was given. Its length and its hash are known once it was read. */
interface PlainBody {
  readonly content: Buffer | AsyncIterable<Buffer>;
  bytes(): number;
  hash(): Buffer;
}

/** The body as it is to be read: a Buffer has at most 1 MiB. */
function hashing(body: Buffer | AsyncIterable<Buffer>): PlainBody {
  if (Buffer.isBuffer(body) && body.length <= WHOLE_BODY_BYTES_MAX) {
    const digest = contentHashOf(body);
    return { content: body, bytes: () => body.length, hash: () => digest };
  }
  const hashed = new HashedPieces(Buffer.isBuffer(body) ? inPieces(body) : body);
  return { content: hashed.pieces(), bytes: () => hashed.byteLength, hash: () => hashed.digest };
}

async function* inPieces(body: Buffer): AsyncGenerator<Buffer> {
  for (let from = 0; from < body.length; from += PIECE_BYTES) {
    yield body.subarray(from, from + PIECE_BYTES);
  }
}

/** A body of which only the start has been read. */
interface Begun {
  start: Buffer;
  readonly rest: AsyncIterator<Buffer>;
}

/** The whole body again. Lets go of the start once it is stored: the rest may take hours. */
async function* chain(begun: Begun): AsyncGenerator<Buffer> {
  try {
    yield begun.start;
    begun.start = EMPTY;
    for (;;) {
      const { done, value } = await begun.rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    // Whoever leaves half way leaves the body too; at its end this does nothing.
    await begun.rest.return?.();
  }
}

/**
 * Reads up to one byte more than a shared segment takes. A piece is valid only until the next is asked
 * for, so it is copied.
 */
async function load(body: Buffer | AsyncIterable<Buffer>): Promise<Loaded> {
  if (Buffer.isBuffer(body)) return body;
  const rest = body[Symbol.asyncIterator]();
  let start = EMPTY;
  let bytes = 0;
  while (bytes <= WHOLE_BODY_BYTES_MAX) {
    const { done, value } = await rest.next();
    if (done === true) return start.subarray(0, bytes);
    if (bytes + value.length > start.length) {
      const doubled = Math.min(2 * start.length, WHOLE_BODY_BYTES_MAX);
      const longer = Buffer.allocUnsafe(Math.max(bytes + value.length, doubled));
      start.copy(longer, 0, 0, bytes);
      start = longer;
    }
    value.copy(start, bytes);
    bytes += value.length;
  }
  return { start: start.subarray(0, bytes), rest };
}
