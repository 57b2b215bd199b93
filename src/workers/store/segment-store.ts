/**
 * The store of a worker: records from the index, bodies from and to segments on the same disk.
 */
import {
  type CounterOrder,
  INTEGER_LENGTH_MAX,
  integerOf,
  type SeenInteger,
} from '../../protocol/counter.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import type { Explanation } from '../../protocol/explanation.ts';
import type { ListedEntry, Page, PageAsked } from '../../protocol/listing.ts';
import type { PurgeOrder, PurgeReport } from '../../protocol/purge.ts';
import {
  decodeRecord,
  type EntryMeta,
  type EntryRecord,
  versionOf,
} from '../../protocol/record.ts';
import { type BodyReader, warmItem } from '../../segments/body-reader.ts';
import type { BodyEncoder } from '../../segments/compression/body-encoder.ts';
import { FormReader } from '../../segments/compression/form-reader.ts';
import { EntryWriter } from '../../segments/entry-writer.ts';
import { SegmentDamage } from '../../segments/faults.ts';
import { ABSENT, type CommitCondition, guarded } from '../../segments/guarded.ts';
import type { SegmentLog } from '../../segments/segment-log.ts';
import type { WarmSet } from '../../segments/warm-set.ts';
import type { SettledEntry } from '../leases/settled-entry.ts';
import type { EntryIndex, LeaseFound } from './entry-index.ts';
import { HeldReads } from './held-reads.ts';
import type { RecordCache } from './record-cache.ts';
import { isShown, NO_FRAMING, NOTHING } from './shown.ts';
import {
  type BodySource,
  type Content,
  type Hit,
  type LeasedRead,
  type LeaseRequest,
  type Miss,
  NO_BODY,
  type Precondition,
  type Reading,
  type Store,
  type Stored,
} from './store.ts';
import { watched } from './watched-content.ts';
import { WriteRoom } from './write-room.ts';

export interface SegmentStoreOptions {
  readonly index: EntryIndex;
  readonly segments: SegmentLog;
  readonly bodies: BodyReader;
  readonly warm: WarmSet<number>;
  /** What this worker holds of the index; left out where it holds nothing. */
  readonly records?: RecordCache;
  readonly now: () => number;
  /** Compresses what is stored, where it pays; left out, all is stored as it is given. */
  readonly encoder?: BodyEncoder;
  /** Bounds the writes that are under way; left out, nothing does. */
  readonly writes?: WriteRoom;
  /** Told of every entry that was found damaged; it has been dropped. */
  readonly onDamage: (key: string, what: string) => void;
}

/** A body may be moved while it is being read; it is not moved this often. */
const READ_ATTEMPTS_MAX = 4;
/** An integer that is overwritten this often while it is read is written by too many. */
const INCREMENT_ATTEMPTS_MAX = 8;
const NEVER_SEEN: Miss = { found: false, reason: 'never-seen' };
const EXPIRED: Miss = { found: false, reason: 'expired' };

export class SegmentStore implements Store {
  readonly #options: SegmentStoreOptions;
  readonly #writer: EntryWriter;
  readonly #bodies: FormReader;
  readonly #held: HeldReads | undefined;
  readonly #writes: WriteRoom;

  constructor(options: SegmentStoreOptions) {
    const { index, segments, bodies, now, encoder, records } = options;
    this.#options = options;
    this.#writes = options.writes ?? new WriteRoom(Number.POSITIVE_INFINITY);
    this.#bodies = new FormReader(bodies);
    this.#held =
      records &&
      new HeldReads({
        records,
        bodies: this.#bodies,
        now,
        hit: (...what) => this.#hit(...what),
      });
    this.#writer = new EntryWriter({
      segments,
      commit: (...what) => index.commit(...what),
      now,
      encoder,
    });
  }

  get(key: string, reading: Reading = {}): Hit | Promise<Hit | Miss> {
    const held = this.#held?.read(key, reading);
    if (held === undefined) return this.#read(key, reading);
    if (held instanceof Promise) return held.then((hit) => hit ?? this.#read(key, reading));
    return held;
  }

  async getLeased(key: string, reading: Reading, request: LeaseRequest): Promise<LeasedRead> {
    const { leaseMs, waitMs, onWait } = request;
    const held = await this.#held?.readFresh(key, reading);
    if (held !== undefined) return { found: held, token: undefined, retryAfterMs: 0 };
    const asked = { leaseMs, stale: reading.stale, mayWait: waitMs > 0 };
    const { wait, ...leased } = await this.#options.index.lease(key, asked);
    const { token, retryAfterMs } = leased;
    if (wait === undefined) {
      return { found: await this.#readLeased(key, reading, leased), token, retryAfterMs };
    }
    wait.endAfter(waitMs);
    onWait?.(wait.leave);
    const waited = await wait.outcome;
    if (waited.how === 'settled') {
      const found = await this.#readSettled(key, reading, waited.entry);
      return { found, token: undefined, retryAfterMs: 0 };
    }
    const miss = await this.#readLeased(key, reading, leased);
    return waited.how === 'granted'
      ? { found: miss, token: waited.token, retryAfterMs: 0 }
      : { found: miss, token: undefined, retryAfterMs: Math.max(0, retryAfterMs - waitMs) };
  }

  releaseLease(key: string, token: string): Promise<boolean> {
    return this.#options.index.releaseLease(key, token);
  }

  /** A lease that cannot be told to its client is given back. */
  async #readLeased(
    key: string,
    reading: Reading,
    { found, token }: Pick<LeaseFound, 'found' | 'token'>,
  ): Promise<Hit | Miss> {
    if (typeof found === 'string') return { found: false, reason: found };
    try {
      return await this.#read(key, reading, found);
    } catch (error) {
      if (token !== undefined) await this.releaseLease(key, token).catch(() => undefined);
      throw error;
    }
  }

  /** What was waited for, read once for all who waited here and are shown the same. */
  async #readSettled(key: string, reading: Reading, entry: SettledEntry): Promise<Hit | Miss> {
    try {
      const record = entry.record(key);
      // By now it may be another, or gone, as for any read.
      if (record === undefined || !isShown(record, reading.stale, this.#options.now())) {
        return await this.#read(key, reading);
      }
      const framing = reading.frame?.(record) ?? NO_FRAMING;
      if (framing === NO_BODY) return { found: true, record, content: NOTHING };
      const open = async (): Promise<Content> => this.#bodies.open(record, framing);
      const content = await entry.content(framing, open);
      return this.#hit(key, record, content);
    } catch (error) {
      if (!(error instanceof SegmentDamage)) throw error;
      return await this.#read(key, reading);
    } finally {
      entry.served();
    }
  }

  /** `given` is the record where it was looked up already. */
  async #read(key: string, reading: Reading, given?: Buffer): Promise<Hit | Miss> {
    let failed: EntryRecord | undefined;
    for (let attempt = 0; attempt < READ_ATTEMPTS_MAX; attempt++) {
      const found =
        attempt === 0 && given !== undefined ? given : await this.#options.index.lookUp(key);
      if (typeof found === 'string') return { found: false, reason: found };
      const record = decodeRecord(Buffer.from(key), found);
      if (record === undefined) return this.#dropRecord(key, found);
      if (failed !== undefined && isSameBody(failed, record)) break;
      if (!isShown(record, reading.stale, this.#options.now())) return EXPIRED;
      const framing = reading.frame?.(record) ?? NO_FRAMING;
      if (framing === NO_BODY) return { found: true, record, content: NOTHING };
      try {
        const opened = this.#bodies.open(record, framing);
        const content = opened instanceof Promise ? await opened : opened;
        return this.#hit(key, record, content);
      } catch (error) {
        if (!(error instanceof SegmentDamage)) throw error;
        failed = record;
      }
    }
    if (failed !== undefined) await this.#dropDamaged(key, failed.version, 'body');
    return NEVER_SEEN;
  }

  /** What is streamed may turn out damaged when its begin has left; the next reader gets a miss then. */
  #hit(key: string, record: EntryRecord, content: Content): Hit {
    if (content.whole !== undefined) return { found: true, record, content };
    const onDamage = (): void => void this.#dropDamaged(key, record.version, 'body');
    return { found: true, record, content: watched(content, onDamage) };
  }

  async find(key: string): Promise<EntryRecord | Miss> {
    const found = await this.#options.index.lookUp(key);
    if (typeof found === 'string') return { found: false, reason: found };
    return decodeRecord(Buffer.from(key), found) ?? this.#dropRecord(key, found);
  }

  async put(
    key: string,
    meta: EntryMeta,
    body: BodySource,
    only?: Precondition,
    leaseToken?: string,
  ): Promise<Stored> {
    const guard = only === undefined ? undefined : () => this.#conditionOf(key, only);
    // A long body is not taken in for a write that is refused anyhow.
    await guard?.();
    if (leaseToken !== undefined && !Buffer.isBuffer(body)) {
      await this.#options.index.checkLease(key, leaseToken);
    }
    const write = () => this.#writer.write(key, meta, body, guard, leaseToken);
    // What is still arriving waits for its client, and is bounded as an upload.
    const written = await (Buffer.isBuffer(body) ? this.#writes.run(write) : write());
    const { version, created, placed, plainBytes, contentHash } = written;
    // What was written just now is in the page cache.
    this.#options.warm.add(warmItem(placed.pointer));
    return { version, created, plainBytes, contentHash };
  }

  async delete(key: string, only?: Precondition): Promise<boolean> {
    if (only === undefined) return await this.#options.index.delete(key);
    const guard = () => this.#conditionOf(key, only);
    return await guarded(guard, (condition) => this.#options.index.delete(key, condition));
  }

  touch(key: string, ttlMs: number): Promise<boolean> {
    return this.#options.index.touch(key, ttlMs);
  }

  async increment(key: string, order: CounterOrder): Promise<bigint> {
    let seen: SeenInteger | undefined;
    for (let attempt = 0; attempt < INCREMENT_ATTEMPTS_MAX; attempt++) {
      const done = await this.#options.index.increment(key, order, seen);
      if (done.value !== undefined) return done.value;
      seen = await this.#readInteger(key);
    }
    throw new BigCacheError('OVERLOADED');
  }

  /** The integer that the body of an entry is; undefined where it is none any more. Throws NOT_AN_INTEGER. */
  async #readInteger(key: string): Promise<SeenInteger | undefined> {
    const frame = ({ plainBytes }: EntryRecord) =>
      plainBytes > INTEGER_LENGTH_MAX ? NO_BODY : NO_FRAMING;
    const found = await this.#read(key, { frame });
    if (!found.found) return undefined;
    const { record, content } = found;
    const value = integerOf(content.whole?.toString('latin1') ?? '');
    content.release();
    if (value === undefined) throw new BigCacheError('NOT_AN_INTEGER');
    return { version: record.version, value };
  }

  async list(asked: PageAsked): Promise<Page<EntryRecord>> {
    const { entries, next } = await this.#options.index.list(asked);
    const decoded: ListedEntry<EntryRecord>[] = [];
    for (const { key, record: encoded } of entries) {
      const record = decodeRecord(Buffer.from(key), encoded);
      // What is damaged is a miss, and goes when it is read.
      if (record !== undefined) decoded.push({ key, record });
    }
    return { entries: decoded, next };
  }

  deletePrefix(prefix: string): Promise<number> {
    return this.#options.index.deletePrefix(prefix);
  }

  clear(): Promise<void> {
    return this.#options.index.clear();
  }

  purge(order: PurgeOrder): Promise<number> {
    return this.#options.index.purge(order);
  }

  purgeReport(version: number): Promise<PurgeReport | undefined> {
    return this.#options.index.purgeReport(version);
  }

  explain(key: string): Promise<Explanation> {
    return this.#options.index.explain(key);
  }

  count(): Promise<number> {
    return this.#options.index.count();
  }

  checkWritable(): Promise<void> {
    return this.#options.index.checkWritable();
  }

  close(): Promise<void> {
    return this.#options.index.close();
  }

  open(): Promise<void> {
    return this.#options.index.open();
  }

  /** What the index must hold for the precondition to hold. Throws PRECONDITION_FAILED. */
  async #conditionOf(key: string, only: Precondition): Promise<CommitCondition> {
    const found = await this.find(key);
    const record = 'found' in found ? undefined : found;
    if (!only(record)) throw new BigCacheError('PRECONDITION_FAILED');
    return record?.version ?? ABSENT;
  }

  async #dropRecord(key: string, record: Buffer): Promise<Miss> {
    await this.#dropDamaged(key, versionOf(record), 'record');
    return NEVER_SEEN;
  }

  async #dropDamaged(key: string, version: number, what: string): Promise<void> {
    this.#options.onDamage(key, what);
    try {
      await this.#options.index.dropDamaged(key, version);
    } catch (error) {
      // It stays a miss where the index takes no writes at present; a later reader drops it.
      if (!(error instanceof BigCacheError)) throw error;
    }
  }
}

function isSameBody(one: EntryRecord, other: EntryRecord): boolean {
  return (
    one.version === other.version &&
    one.pointer.segment === other.pointer.segment &&
    one.pointer.offset === other.pointer.offset
  );
}
