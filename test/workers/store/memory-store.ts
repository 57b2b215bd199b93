/**
 * A Store in memory: small, correct, with its clock given. It stands in for the real one where the
 * HTTP side is tested, and keeps the contract suite honest.
 */
import { type CounterOrder, integerOf, isInRange } from '../../../src/protocol/counter.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import type { Explanation } from '../../../src/protocol/explanation.ts';
import type { Page, PageAsked } from '../../../src/protocol/listing.ts';
import type { PurgeOrder, PurgeReport } from '../../../src/protocol/purge.ts';
import { type EntryMeta, type EntryRecord, Kind, staleFrom } from '../../../src/protocol/record.ts';
import { withLifetime } from '../../../src/protocol/record-changes.ts';
import { blockChecksums } from '../../../src/segments/checksum.ts';
import { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { GZIP } from '../../../src/segments/compression/gzip-member.ts';
import { contentHashOf } from '../../../src/segments/content-hash.ts';
import type {
  BodySource,
  Hit,
  LeasedRead,
  LeaseRequest,
  Miss,
  Precondition,
  Reading,
  Store,
  Stored,
} from '../../../src/workers/store/store.ts';
import { type Entry, framed, MemoryContent } from './memory-content.ts';
import { explained, type Gone, isShownAt, selects } from './memory-judgement.ts';
import { MemoryLeases } from './memory-leases.ts';

const byBytes = (one: string, other: string): number =>
  Buffer.compare(Buffer.from(one), Buffer.from(other));

export class MemoryStore implements Store {
  /** Contents handed out and not yet released. */
  unreleased = 0;
  readonly #entries = new Map<string, Entry>();
  readonly #leases: MemoryLeases;
  /** When keys were missed that were not written since. */
  readonly #missedAtMs = new Map<string, number>();
  /** Ends the waits that there are. */
  readonly #leaves = new Set<() => void>();
  readonly #gone = new Map<string, Gone>();
  readonly #reports = new Map<number, PurgeReport>();
  readonly #startedAtMs: number;
  readonly #now: () => number;
  readonly #encoder: BodyEncoder | undefined;
  #isOpen = true;
  #version = 0;

  constructor(now: () => number = Date.now, compresses = true) {
    this.#now = now;
    this.#encoder = compresses ? new BodyEncoder() : undefined;
    this.#leases = new MemoryLeases(now);
    this.#startedAtMs = now();
  }

  /** Who waits, and how to end it without time. */
  get waiters(): number {
    return this.#leaves.size;
  }

  endWaits(): void {
    for (const leave of this.#leaves) leave();
  }

  async getLeased(key: string, reading: Reading, request: LeaseRequest): Promise<LeasedRead> {
    const { leaseMs, waitMs, onWait } = request;
    const found = await this.get(key, reading);
    // A frame that throws has thrown before any lease was given.
    const nothing = { found, token: undefined, retryAfterMs: 0 };
    if (found.found) {
      const { expiresAtMs } = found.record;
      if (expiresAtMs === 0 || expiresAtMs > this.#now()) return nothing;
      return { ...nothing, token: this.#leases.acquire(key, leaseMs, false).token };
    }
    const acquired = this.#leases.acquire(key, leaseMs, waitMs > 0);
    const { token, retryAfterMs, outcome, leave } = acquired;
    if (outcome === undefined) return { found, token, retryAfterMs };
    const timer = setTimeout(leave, waitMs);
    this.#leaves.add(leave);
    onWait?.(leave);
    const waited = await outcome;
    clearTimeout(timer);
    this.#leaves.delete(leave);
    if (waited !== 'entry') return { found, token: waited, retryAfterMs };
    return { found: await this.get(key, reading), token: undefined, retryAfterMs: 0 };
  }

  async releaseLease(key: string, token: string): Promise<boolean> {
    this.#requireOpen();
    return this.#leases.release(key, token);
  }

  async get(key: string, { frame, stale }: Reading = {}): Promise<Hit | Miss> {
    const entry = this.#lookUp(key);
    if ('found' in entry) {
      if (!this.#missedAtMs.has(key)) this.#missedAtMs.set(key, this.#now());
      return entry;
    }
    const { record } = entry;
    if (!this.#isShown(record, stale)) return { found: false, reason: 'expired' };
    const framing = frame?.(record);
    const bytes = framed(entry, framing);
    this.unreleased += 1;
    const content = new MemoryContent(bytes, () => {
      this.unreleased -= 1;
    });
    return { found: true, record, content };
  }

  async find(key: string): Promise<EntryRecord | Miss> {
    const entry = this.#lookUp(key);
    return 'found' in entry ? entry : entry.record;
  }

  async put(
    key: string,
    meta: EntryMeta,
    source: BodySource,
    only?: Precondition,
    leaseToken?: string,
  ): Promise<Stored> {
    this.#requireOpen();
    this.#require(key, only);
    const pieces: Buffer[] = [];
    if (Buffer.isBuffer(source)) pieces.push(source);
    else for await (const piece of source) pieces.push(Buffer.from(piece));
    const plain = Buffer.concat(pieces);
    const encoded = await this.#encoder?.encode(meta, plain);
    this.#requireOpen();
    if (leaseToken !== undefined && !this.#leases.isGood(key, leaseToken)) {
      this.#leases.release(key, leaseToken);
      throw new BigCacheError('LEASE_LOST');
    }
    this.#require(key, only);
    return this.#keep(key, meta, plain, encoded);
  }

  /** Writes at once, as the lane does. */
  #keep(key: string, meta: EntryMeta, plain: Buffer, encoded: Buffer | undefined): Stored {
    const contentHash = contentHashOf(plain);
    const body = encoded ?? plain;
    const created = 'found' in this.#lookUp(key);
    this.#version += 1;
    const record: EntryRecord = {
      staleWhileRevalidateUntilMs: 0,
      staleIfErrorUntilMs: 0,
      tags: [],
      costMs: Math.max(0, this.#now() - (this.#missedAtMs.get(key) ?? this.#now())),
      ...meta,
      version: this.#version,
      storedAtMs: this.#now(),
      pointer: { segment: 0, offset: 0 },
      plainBytes: plain.length,
      storedBytes: body.length,
      checksums: blockChecksums(body),
      etag: contentHash,
      contentEncoding: encoded === undefined ? null : GZIP,
    };
    this.#entries.set(key, { record, body });
    this.#missedAtMs.delete(key);
    this.#leases.happened((other) => other === key, key);
    this.#gone.delete(key);
    return { version: this.#version, created, plainBytes: plain.length, contentHash };
  }

  async delete(key: string, only?: Precondition): Promise<boolean> {
    this.#require(key, only);
    const wasThere = !('found' in this.#lookUp(key));
    this.#entries.delete(key);
    this.#leases.happened((other) => other === key);
    if (wasThere) this.#gone.set(key, { reason: 'deleted', atMs: this.#now() });
    return wasThere;
  }

  async touch(key: string, ttlMs: number): Promise<boolean> {
    const entry = this.#lookUp(key);
    if ('found' in entry || !this.#isShown(entry.record, undefined)) return false;
    const record = withLifetime(entry.record, ttlMs, this.#now());
    this.#entries.set(key, { ...entry, record });
    return true;
  }

  async increment(key: string, { by, initial, ttlMs }: CounterOrder): Promise<bigint> {
    const entry = this.#lookUp(key);
    const isThere = !('found' in entry) && this.#isShown(entry.record, undefined);
    const standing = isThere ? integerOf(entry.body.toString('latin1')) : initial;
    if (standing === undefined) throw new BigCacheError('NOT_AN_INTEGER');
    const value = standing + by;
    if (!isInRange(value)) throw new BigCacheError('COUNTER_OVERFLOW');
    const expiresAtMs = ttlMs === 0 ? 0 : this.#now() + ttlMs;
    const expire = expiresAtMs === 0 ? null : expiresAtMs / 1000;
    const fresh = { kind: Kind.json, expiresAtMs, contentType: null, expire, duration: null };
    const meta = isThere ? entry.record : { ...fresh, costMs: 0 };
    this.#keep(key, meta, Buffer.from(`${value}`), undefined);
    return value;
  }

  async list({ prefix, after, limit }: PageAsked): Promise<Page<EntryRecord>> {
    this.#requireOpen();
    const entries = [...this.#entries]
      .filter(([key, { record }]) => key.startsWith(prefix) && this.#isShown(record, 'if-error'))
      .filter(([key]) => after === '' || byBytes(key, after) > 0)
      .sort(([one], [other]) => byBytes(one, other))
      .map(([key, { record }]) => ({ key, record }));
    const page = entries.slice(0, limit);
    return { entries: page, next: entries.length > limit ? page.at(-1)?.key : undefined };
  }

  async deletePrefix(prefix: string): Promise<number> {
    const selector = prefix === '' ? { all: true as const } : { prefix };
    const version = await this.purge({ selector, isSoft: false, isDryRun: false });
    return this.#reports.get(version)?.matched ?? 0;
  }

  async clear(): Promise<void> {
    await this.deletePrefix('');
  }

  async purge(order: PurgeOrder): Promise<number> {
    this.#requireOpen();
    const [nowMs, version] = [this.#now(), ++this.#version];
    const figures = { matched: 0, removed: 0, bytes: 0, costMs: 0 };
    const report = { ...order, version, ...figures, startedAtMs: nowMs, finishedAtMs: nowMs };
    this.#reports.set(version, report);
    const { selector, isDryRun } = order;
    if (!isDryRun) this.#leases.happened((key) => selects(selector, key, this.#entries.get(key)));
    for (const [key, entry] of [...this.#entries]) {
      if (!selects(selector, key, entry)) continue;
      const { expiresAtMs } = entry.record;
      const isMatch = order.isSoft
        ? expiresAtMs === 0 || expiresAtMs > nowMs
        : this.#isShown(entry.record, 'if-error');
      report.matched += isMatch ? 1 : 0;
      report.bytes += isMatch ? entry.body.length : 0;
      if (isDryRun) continue;
      if (!order.isSoft) {
        report.removed += 1;
        this.#entries.delete(key);
        this.#gone.set(key, { reason: 'purged', atMs: nowMs, by: report });
      } else if (isMatch) {
        const record = staleFrom(entry.record, nowMs);
        this.#entries.set(key, { ...entry, record, softenedBy: report });
      }
    }
    return version;
  }

  async purgeReport(version: number): Promise<PurgeReport | undefined> {
    this.#requireOpen();
    return this.#reports.get(version);
  }

  async explain(key: string): Promise<Explanation> {
    this.#requireOpen();
    const known = { entry: this.#entries.get(key), gone: this.#gone.get(key) };
    return explained(known, this.#now(), this.#startedAtMs);
  }

  async count(): Promise<number> {
    this.#requireOpen();
    return this.#entries.size;
  }

  async checkWritable(): Promise<void> {
    this.#requireOpen();
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new BigCacheError('STORE_CLOSED');
  }

  #lookUp(key: string): Entry | Miss {
    this.#requireOpen();
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      const isPurged = this.#gone.get(key)?.reason === 'purged';
      return { found: false, reason: isPurged ? 'purged' : 'never-seen' };
    }
    return this.#isShown(entry.record, 'if-error') ? entry : { found: false, reason: 'expired' };
  }

  #isShown(record: EntryRecord, stale: Reading['stale']): boolean {
    return isShownAt(record, stale, this.#now());
  }

  #require(key: string, only: Precondition | undefined): void {
    if (only === undefined) return;
    const entry = this.#lookUp(key);
    if (!only('found' in entry ? undefined : entry.record))
      throw new BigCacheError('PRECONDITION_FAILED');
  }
}
