/**
 * Where a worker puts bodies: its current segment for small ones, a segment of its own for each body
 * that is streamed. Rolls over to the next segment and seals the full one after its last commit.
 */
import { BigCacheError } from '../protocol/errors.ts';
import type { KindCode, Pointer } from '../protocol/record.ts';
import {
  BLOCK_BYTES,
  blockChecksums,
  blockCount,
  CHECKSUM_BYTES,
  recordChecksums,
} from './checksum.ts';
import {
  APPEND_HEADER_BYTES,
  type AppendMeta,
  appendBytes,
  encodeAppendHead,
  encodeAppendMeta,
  SEGMENT_HEADER_BYTES,
} from './format.ts';
import { SegmentFile } from './segment-file.ts';

/** How a segment log gets segments and gives them back: the primary, seen from here. */
export interface SegmentGrants {
  /** The id of a new segment that only the caller may write, up to `bytes`. */
  grant(bytes: number): Promise<number>;
  /** Resolves when the segment may be written up to `bytes`. Rejects with DISK_FULL. */
  extend(segment: number, bytes: number): Promise<void>;
  /** Nothing more will be written to, or committed from, this segment, whose file has `fileBytes`. */
  seal(segment: number, fileBytes: number): void;
}

/** A body that is in its segment and waits to be committed. */
export interface Placed {
  readonly pointer: Pointer;
  readonly storedBytes: number;
  /** What the record keeps of the body's checksums. */
  readonly checksums: Buffer;
  /** To be called once the commit has been answered; a refused append is voided. */
  settle(committed: boolean): void;
}

export interface SegmentLogOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly writer: number;
  readonly grants: SegmentGrants;
  readonly now: () => number;
  /**
   * Whether a streamed body is put on disk while it arrives. Whoever syncs its commit would wait for
   * all of it at once otherwise, and so would every other write.
   */
  readonly syncsStreams?: boolean;
  /** Told once of each segment that the system refused to create, write or sync. */
  readonly onFailure?: (segment: number, error: Error) => void;
}

/** An open segment and the appends in it whose commit has not been answered. */
interface OpenSegment {
  readonly file: SegmentFile;
  unsettled: number;
  isRetired: boolean;
}

/** A streamed body is written in pieces of whole blocks of this many bytes. */
const PIECE_BYTES = 4 * BLOCK_BYTES;
/**
 * Room for a streamed body is asked for in steps of this size, since nobody knows how long it will be:
 * always when all before is in the file, and for no less than a step beyond that.
 */
export const STREAM_GRANT_BYTES = 4 * 1024 * 1024;
/** So much of a streamed body is left to be synced with its commit. */
const STREAM_SYNC_BYTES = 16 * 1024 * 1024;
/** An append that finds every new segment filled by others this often is refused. */
const ROLL_OVERS_MAX = 1000;

export class SegmentLog {
  readonly #options: SegmentLogOptions;
  #current: OpenSegment | undefined;
  #next: Promise<OpenSegment> | undefined;
  readonly #open = new Set<OpenSegment>();

  constructor(options: SegmentLogOptions) {
    this.#options = options;
  }

  /** Appends a whole body. Rejects with DISK_FULL, STORE_FAILED, or what the grant fails with. */
  async append(key: Buffer, kind: KindCode, meta: AppendMeta, body: Buffer): Promise<Placed> {
    const checksums = blockChecksums(body);
    const packedMeta = encodeAppendMeta(meta);
    const parts = { kind, key, bodyBytes: body.length, checksums, meta: packedMeta };
    const bytes = appendBytes({
      keyBytes: key.length,
      bodyBytes: body.length,
      checksumBytes: checksums.length,
      metaBytes: packedMeta.length,
    });
    let segment = this.#roomFor(bytes);
    for (let attempt = 0; segment === undefined; attempt++) {
      // Several appends may wait for one new segment, and fill it before the last of them goes on.
      if (attempt === ROLL_OVERS_MAX) throw new BigCacheError('OVERLOADED');
      await this.#rollOver();
      segment = this.#roomFor(bytes);
    }
    // INVARIANT: the place is taken in the same turn in which the room was found.
    const at = segment.file.end;
    segment.unsettled += 1;
    try {
      await segment.file.append([encodeAppendHead(parts), body, checksums, packedMeta], bytes);
    } catch (error) {
      this.#settle(segment, at, true);
      throw error;
    }
    return {
      pointer: { segment: segment.file.id, offset: at + APPEND_HEADER_BYTES + key.length },
      storedBytes: body.length,
      checksums: recordChecksums(checksums),
      settle: (committed) => this.#settle(segment, at, committed),
    };
  }

  /**
   * Streams a body of unknown length into a segment of its own, with flat memory. `describe` makes
   * the entry's meta once the length is known. When `body` throws, nothing is stored and its error
   * is thrown on.
   */
  async appendStream(
    key: Buffer,
    kind: KindCode,
    body: AsyncIterable<Buffer>,
    describe: (bodyBytes: number) => AppendMeta,
  ): Promise<Placed> {
    let grantedBytes = STREAM_GRANT_BYTES;
    const segment = await this.#openNew(grantedBytes);
    segment.unsettled += 1;
    segment.isRetired = true;
    const makeRoom = async (bytes: number): Promise<void> => {
      if (segment.file.end + bytes <= grantedBytes) return;
      grantedBytes = segment.file.end + Math.max(bytes, STREAM_GRANT_BYTES);
      await this.#options.grants.extend(segment.file.id, grantedBytes);
    };
    const at = SEGMENT_HEADER_BYTES;
    try {
      const head = Buffer.alloc(APPEND_HEADER_BYTES + key.length);
      await segment.file.append([head], head.length);
      const { syncsStreams = false } = this.#options;
      const stream = { makeRoom, syncsStreams };
      const { bodyBytes, checksums } = await writeBlocks(segment.file, body, stream);
      const meta = encodeAppendMeta(describe(bodyBytes));
      await makeRoom(checksums.length + meta.length);
      await segment.file.append([checksums, meta], checksums.length + meta.length);
      await segment.file.overwrite(encodeAppendHead({ kind, key, bodyBytes, checksums, meta }), at);
      return {
        pointer: { segment: segment.file.id, offset: at + head.length },
        storedBytes: bodyBytes,
        checksums: recordChecksums(checksums),
        settle: (committed) => this.#settle(segment, at, committed),
      };
    } catch (error) {
      this.#settle(segment, at, true);
      throw error;
    }
  }

  /** Seals everything that is open once its commits are answered; later appends get new segments. */
  async sealAll(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) this.#retire(await next.catch(() => undefined));
    this.#retire(this.#current);
    this.#current = undefined;
  }

  /**
   * Writes nothing more to a segment that cannot be put on disk. What is under way to it is refused
   * with STORE_FAILED; what comes after gets a new segment.
   */
  retire(id: number): void {
    for (const segment of this.#open) {
      if (segment.file.id !== id) continue;
      segment.file.giveUp(new BigCacheError('STORE_FAILED'));
      this.#retire(segment);
    }
  }

  /** Whether no segment of this log is open. */
  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** The current segment if `bytes` fit into it; an oversized append may have an empty one. */
  #roomFor(bytes: number): OpenSegment | undefined {
    const current = this.#current;
    if (current === undefined || current.isRetired || current.file.hasFailed) return undefined;
    const fits = current.file.end + bytes <= this.#options.segmentBytes;
    return fits || current.file.end === SEGMENT_HEADER_BYTES ? current : undefined;
  }

  /** Makes a new segment the current one; all who wait for one share it. */
  async #rollOver(): Promise<void> {
    this.#next ??= this.#openNew(this.#options.segmentBytes);
    const next = this.#next;
    try {
      const segment = await next;
      if (this.#next !== next) return;
      this.#next = undefined;
      this.#retire(this.#current);
      this.#current = segment;
    } catch (error) {
      if (this.#next === next) this.#next = undefined;
      throw error;
    }
  }

  async #openNew(bytes: number): Promise<OpenSegment> {
    const { directory, writer, now, grants, onFailure } = this.#options;
    const id = await grants.grant(bytes);
    try {
      const header = { id, writer, createdAtMs: now() };
      const file = await SegmentFile.create(directory, header, (error) => onFailure?.(id, error));
      const segment = { file, unsettled: 0, isRetired: false };
      this.#open.add(segment);
      return segment;
    } catch (error) {
      grants.seal(id, 0);
      throw error;
    }
  }

  #retire(segment: OpenSegment | undefined): void {
    if (segment === undefined || segment.isRetired) return;
    segment.isRetired = true;
    this.#sealIfSettled(segment);
  }

  #settle(segment: OpenSegment, at: number, committed: boolean): void {
    const voided = committed || segment.file.hasFailed ? undefined : segment.file.void(at);
    const done = (): void => {
      segment.unsettled -= 1;
      if (segment.file.hasFailed) this.#retire(segment);
      this.#sealIfSettled(segment);
    };
    if (voided === undefined) done();
    else voided.then(done, done);
  }

  #sealIfSettled(segment: OpenSegment): void {
    if (!segment.isRetired || segment.unsettled > 0 || !this.#open.delete(segment)) return;
    if (this.#current === segment) this.#current = undefined;
    this.#options.grants.seal(segment.file.id, segment.file.end);
    segment.file.close().catch(() => undefined);
  }
}

/** What the pieces of a streamed body need on their way. */
interface StreamNeeds {
  /** Resolves when so many bytes more may be written. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly syncsStreams: boolean;
}

async function writeBlocks(
  file: SegmentFile,
  body: AsyncIterable<Buffer>,
  { makeRoom, syncsStreams }: StreamNeeds,
): Promise<{ bodyBytes: number; checksums: Buffer }> {
  const sums: Buffer[] = [];
  let bodyBytes = 0;
  for await (const piece of inPieces(body)) {
    sums.push(blockChecksums(piece));
    bodyBytes += piece.length;
    await makeRoom(piece.length);
    await file.append([piece], piece.length);
    if (syncsStreams && bodyBytes % STREAM_SYNC_BYTES === 0) await file.sync();
  }
  const checksums = Buffer.concat(sums);
  if (checksums.length !== blockCount(bodyBytes) * CHECKSUM_BYTES) {
    throw new Error('INVARIANT: every piece but the last holds whole blocks');
  }
  return { bodyBytes, checksums };
}

/** Regroups chunks of any size into pieces of whole blocks; only the last may be shorter. */
async function* inPieces(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of body) {
    for (let from = 0; from < chunk.length; ) {
      const taken = chunk.copy(piece, filled, from, from + PIECE_BYTES - filled);
      filled += taken;
      from += taken;
      if (filled === PIECE_BYTES) {
        yield piece;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
