/**
 * The index behind the channel: each operation is one request to the primary.
 */
import type { Channel } from '../../protocol/channel.ts';
import {
  type CounterOrder,
  type Incremented,
  incrementedFromWire,
  type SeenInteger,
} from '../../protocol/counter.ts';
import { type Explanation, explanationFromWire } from '../../protocol/explanation.ts';
import { ProtocolError } from '../../protocol/frame.ts';
import { type Page, type PageAsked, pageFromWire } from '../../protocol/listing.ts';
import { type MissReason, missReason } from '../../protocol/miss.ts';
import { Opcode, type OpcodeValue } from '../../protocol/opcodes.ts';
import {
  flagsOf,
  type PurgeOrder,
  type PurgeReport,
  reportFromList,
  selectorText,
} from '../../protocol/purge.ts';
import type { Committed } from '../../segments/entry-writer.ts';
import type { CommitCondition } from '../../segments/guarded.ts';
import { WaitingRoom } from '../leases/waiting-room.ts';
import type { EntryIndex, LeaseAsked, LeaseFound } from './entry-index.ts';
import type { RecordCache } from './record-cache.ts';

/** A write waits for a place in the lane and for the disk. */
const WRITE_DEADLINE_MS = 30_000;
/** Closing waits for all workers, opening for the recovery of the index. */
const OPEN_DEADLINE_MS = 120_000;
/** Removing millions of entries takes a while; they are gone for readers from the first moment. */
const PREFIX_DEADLINE_MS = 30 * 60_000;

/** Which stale entries a reader is shown, as the channel has it. Never renumber. */
const STALE_WINDOWS = { none: 0, 'while-revalidate': 1, 'if-error': 2 } as const;
const DOES_NOT_WAIT = 0;

export class ChannelIndex implements EntryIndex {
  readonly #channel: Channel;
  /** Who waits in this worker for an entry that somebody else makes. */
  readonly waiting = new WaitingRoom((key, waiter) => {
    this.#channel.notify(Opcode.leaveLease, key, waiter);
  });

  readonly #records: RecordCache | undefined;

  /** What may be held of what is looked up goes into `records`. */
  constructor(channel: Channel, records?: RecordCache) {
    this.#channel = channel;
    this.#records = records;
  }

  lookUp(key: string): Promise<Buffer | MissReason> {
    return this.#channel.requestTaking((found) => this.#take(key, found), Opcode.get, key);
  }

  /** A record that stands alone may be held; one in an array may not. */
  #take(key: string, found: unknown): Buffer | MissReason {
    if (!Array.isArray(found)) {
      if (Buffer.isBuffer(found)) this.#records?.take(key, found);
      return this.#toLookup(found, Opcode.get);
    }
    return this.#toLookup(found[0], Opcode.get);
  }

  #toLookup(found: unknown, opcode: OpcodeValue): Buffer | MissReason {
    return Buffer.isBuffer(found) ? found : (missReason(found) ?? this.#unexpected(opcode));
  }

  async lease(key: string, { leaseMs, stale, mayWait }: LeaseAsked): Promise<LeaseFound> {
    const wait = mayWait ? this.waiting.begin(key) : undefined;
    const window = STALE_WINDOWS[stale ?? 'none'];
    const waiter = wait?.id ?? DOES_NOT_WAIT;
    const take = (done: unknown): unknown[] => {
      const fields: unknown[] = Array.isArray(done) ? done : [];
      if (fields[3] === true) wait?.inLine();
      return fields;
    };
    try {
      const asked = [key, leaseMs, window, waiter];
      const done = await this.#channel.requestTaking(take, Opcode.lease, ...asked);
      const [found, token, retryAfterMs, isWaiting] = done;
      if (token !== null && typeof token !== 'string') return this.#unexpected(Opcode.lease);
      if (isWaiting !== true) wait?.forget();
      return {
        found: this.#toLookup(found, Opcode.lease),
        token: token ?? undefined,
        retryAfterMs: this.#number(retryAfterMs, Opcode.lease),
        wait: isWaiting === true ? wait : undefined,
      };
    } catch (error) {
      // Whether it was put in line is not known.
      wait?.leave();
      throw error;
    }
  }

  async checkLease(key: string, token: string): Promise<void> {
    await this.#channel.request(Opcode.checkLease, key, token);
  }

  async releaseLease(key: string, token: string): Promise<boolean> {
    return (await this.#write(Opcode.releaseLease, key, token)) === true;
  }

  /** The primary has given a lease to who waits here. */
  leaseGranted(key: string, waiter: number, token: string): void {
    if (this.waiting.granted(waiter, token)) return;
    // It left while it was given the lease: the next one has it then.
    this.releaseLease(key, token).catch(() => undefined);
  }

  async commit(
    key: string,
    record: Buffer,
    condition?: CommitCondition,
    leaseToken?: string,
  ): Promise<Committed> {
    const done =
      leaseToken === undefined
        ? await this.#write(Opcode.put, key, record, condition ?? null)
        : await this.#write(Opcode.putLeased, key, record, condition ?? null, leaseToken);
    if (!Array.isArray(done)) return this.#unexpected(Opcode.put);
    const [version, created] = done as unknown[];
    if (typeof version !== 'number' || typeof created !== 'boolean') {
      return this.#unexpected(Opcode.put);
    }
    return { version, created };
  }

  async delete(key: string, condition?: CommitCondition): Promise<boolean> {
    return (await this.#write(Opcode.delete, key, condition ?? null)) === true;
  }

  async touch(key: string, ttlMs: number): Promise<boolean> {
    return (await this.#write(Opcode.touch, key, ttlMs)) === true;
  }

  async increment(
    key: string,
    { by, initial, ttlMs }: CounterOrder,
    seen?: SeenInteger,
  ): Promise<Incremented> {
    const read = seen === undefined ? null : [seen.version, String(seen.value)];
    const order = [String(by), String(initial), ttlMs];
    const done = await this.#write(Opcode.increment, key, ...order, read);
    return incrementedFromWire(done) ?? this.#unexpected(Opcode.increment);
  }

  async list({ prefix, after, limit }: PageAsked): Promise<Page<Buffer>> {
    const begin = after === '' ? null : Buffer.from(after);
    const listed = await this.#channel.request(Opcode.listEntries, prefix, begin, limit);
    return pageFromWire(listed) ?? this.#unexpected(Opcode.listEntries);
  }

  async dropDamaged(key: string, version: number): Promise<boolean> {
    return (await this.#write(Opcode.dropDamaged, key, version)) === true;
  }

  async deletePrefix(prefix: string): Promise<number> {
    const request = this.#channel.requestWithin(PREFIX_DEADLINE_MS, Opcode.deletePrefix, prefix);
    return this.#number(await request, Opcode.deletePrefix);
  }

  async clear(): Promise<void> {
    await this.#write(Opcode.clear);
  }

  async purge(order: PurgeOrder): Promise<number> {
    const text = selectorText(order.selector);
    return this.#number(await this.#write(Opcode.purge, text, flagsOf(order)), Opcode.purge);
  }

  async purgeReport(version: number): Promise<PurgeReport | undefined> {
    const found = await this.#channel.request(Opcode.purgeReport, version);
    if (found === null) return undefined;
    return reportFromList(found) ?? this.#unexpected(Opcode.purgeReport);
  }

  async explain(key: string): Promise<Explanation> {
    const told = await this.#channel.request(Opcode.explain, key);
    return explanationFromWire(told) ?? this.#unexpected(Opcode.explain);
  }

  async count(): Promise<number> {
    return this.#number(await this.#channel.request(Opcode.count), Opcode.count);
  }

  async checkWritable(): Promise<void> {
    await this.#channel.request(Opcode.checkWritable);
  }

  async close(): Promise<void> {
    await this.#channel.requestWithin(OPEN_DEADLINE_MS, Opcode.close);
  }

  async open(): Promise<void> {
    await this.#channel.requestWithin(OPEN_DEADLINE_MS, Opcode.open);
  }

  async grantSegment(bytes: number): Promise<number> {
    return this.#number(await this.#write(Opcode.grantSegment, bytes), Opcode.grantSegment);
  }

  async extendSegment(segment: number, bytes: number): Promise<void> {
    await this.#write(Opcode.extendSegment, segment, bytes);
  }

  sealSegment(segment: number, fileBytes: number): void {
    // Refused only when the store is closed or the primary gone: then the next start seals it.
    this.#write(Opcode.sealSegment, segment, fileBytes).catch(() => undefined);
  }

  #write(opcode: OpcodeValue, ...fields: unknown[]): Promise<unknown> {
    return this.#channel.requestWithin(WRITE_DEADLINE_MS, opcode, ...fields);
  }

  #number(value: unknown, opcode: OpcodeValue): number {
    return typeof value === 'number' ? value : this.#unexpected(opcode);
  }

  /** The primary answered with another shape: the two are not of one build. */
  #unexpected(opcode: OpcodeValue): never {
    const error = new ProtocolError(`an unexpected answer to opcode ${opcode}`);
    this.#channel.destroy(error);
    throw error;
  }
}
