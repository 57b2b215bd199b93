/**
 * The reads of one worker, answered by the primary: those of a frame together, at once what can be, the
 * rest with one read of the index.
 */
import type { Logger } from 'pino';
import type { IncomingRequest } from '../../protocol/channel.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import { bucketOf } from '../../protocol/key-hash.ts';
import { Opcode } from '../../protocol/opcodes.ts';
import { Seldom } from '../../protocol/seldom.ts';
import { toStoreError } from '../../segments/faults.ts';
import type { Coherence } from '../coherence/coherence.ts';
import type { RecordHolder } from '../coherence/handshake.ts';
import type { Lookup } from '../store/entry-store.ts';
import type { Waiting } from '../store/leases/lease-table.ts';
import { type LeaseAsked, leaseAtOnce, leaseCold } from '../store/leases/leased-reads.ts';
import type { Storage } from '../store/storage.ts';

/** A worker that holds records, and who has them dropped. */
export interface Holding {
  readonly coherence: Pick<Coherence, 'register' | 'mayHold'>;
  readonly holder: RecordHolder;
}

export interface LookupsOptions {
  readonly storage: () => Storage;
  /** Left out where the worker holds nothing. */
  readonly holding: Holding | undefined;
  /** Who waits for leases; undefined once nobody does. */
  readonly waiting: () => Waiting | undefined;
  readonly log: Logger;
}

/** The mark of what nobody holds. */
const NOTHING_HELD = 0;
const TOLD_EVERY_MS = 5000;

export class Lookups {
  readonly #options: LookupsOptions;
  /** The lookups of the frame that is being read: they share one read of the index. */
  #asked: IncomingRequest[] = [];
  /** The same of those that ask for a lease. */
  #leasesAsked: IncomingRequest[] = [];
  readonly #seldom = new Seldom(TOLD_EVERY_MS);

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  /** Whether the request is one of these; it is answered after its frame. */
  take(request: IncomingRequest): boolean {
    if (request.opcode === Opcode.get) this.#asked.push(request);
    else if (request.opcode === Opcode.lease) this.#leasesAsked.push(request);
    else return false;
    return true;
  }

  /** Answers what was taken. */
  answer(): void {
    this.#lookUp();
    this.#lease();
  }

  #lookUp(): void {
    if (this.#asked.length === 0) return;
    const requests = this.#asked;
    this.#asked = [];
    const { readable } = this.#options.storage();
    if (readable !== undefined) {
      void readable.then(() => this.#answerCold(requests));
      return;
    }
    const cold = this.#answerAtOnce(requests);
    if (cold.length > 0) void this.#answerCold(cold);
  }

  /** Answers what can be looked up without leaving the event loop; gives the rest back. */
  #answerAtOnce(requests: readonly IncomingRequest[]): IncomingRequest[] {
    const cold: IncomingRequest[] = [];
    for (const request of requests) {
      try {
        const key = request.fields[0] as string;
        const bucket = this.#bucketOf(key);
        const mark = this.#register(bucket);
        const found = this.#options.storage().entries.lookUpAtOnce(key);
        if (found === undefined) cold.push(request);
        else request.reply(this.#shown(bucket, found, mark));
      } catch (error) {
        request.fail(asReadError(error));
      }
    }
    return cold;
  }

  async #answerCold(requests: readonly IncomingRequest[]): Promise<void> {
    try {
      const keys = requests.map(({ fields }) => fields[0] as string);
      const buckets = keys.map((key) => this.#bucketOf(key));
      const marks = buckets.map((bucket) => this.#register(bucket));
      const found = await this.#options.storage().entries.lookUp(keys);
      requests.forEach((request, at) => {
        const [bucket, mark] = [buckets[at] as number, marks[at] as number];
        request.reply(this.#shown(bucket, found[at] as Lookup, mark));
      });
    } catch (error) {
      const failure = asReadError(error);
      this.#tellUnreadable(error);
      for (const request of requests) request.fail(failure);
    }
  }

  /** Not for each frame: there may be thousands in a second, and the log on the disk that fails. */
  #tellUnreadable(error: unknown): void {
    const leftOut = this.#seldom.pass();
    if (leftOut === undefined) return;
    this.#options.log.error({ err: error, leftOut }, 'the index cannot be read');
  }

  /** A key is hashed once for its lookup, and not at all where nothing is held. */
  #bucketOf(key: string): number {
    return this.#options.holding === undefined ? 0 : bucketOf(key);
  }

  /** Before the record is read: from now on the worker may hold it. */
  #register(bucket: number): number {
    const { holding } = this.#options;
    return holding === undefined
      ? NOTHING_HELD
      : holding.coherence.register(holding.holder, bucket);
  }

  /** A record that stands alone may be held by the worker; one in an array may not. */
  #shown(bucket: number, found: Lookup, mark: number): unknown {
    const { holding } = this.#options;
    if (holding === undefined || typeof found === 'number') return found;
    return holding.coherence.mayHold(bucket, mark) ? found : [found];
  }

  #lease(): void {
    if (this.#leasesAsked.length === 0) return;
    const requests = this.#leasesAsked;
    this.#leasesAsked = [];
    void this.#answerLeases(requests);
  }

  /** As for lookups: at once what can be, the rest with one read of the index. */
  async #answerLeases(requests: readonly IncomingRequest[]): Promise<void> {
    const storage = this.#options.storage();
    try {
      if (storage.readable !== undefined) await storage.readable;
      const asked = requests.map(({ fields }) => this.#leaseAsked(fields));
      const atOnce = leaseAtOnce(storage.entries, asked);
      const cold: IncomingRequest[] = [];
      requests.forEach((request, at) => {
        if (atOnce[at] === undefined) cold.push(request);
        else request.reply(atOnce[at]);
      });
      if (cold.length === 0) return;
      const coldAsked = cold.map(({ fields }) => this.#leaseAsked(fields));
      const areWanted = (): boolean => this.#options.waiting() !== undefined;
      const found = await leaseCold(storage.entries, coldAsked, areWanted);
      cold.forEach((request, at) => {
        request.reply(found[at]);
      });
    } catch (error) {
      const failure = asReadError(error);
      if (failure !== error) this.#tellUnreadable(error);
      for (const request of requests) request.fail(failure);
    }
  }

  #leaseAsked([key, leaseMs, stale, waiter]: readonly unknown[]): LeaseAsked {
    const at = this.#options.waiting();
    return {
      key: key as string,
      leaseMs: leaseMs as number,
      stale: stale as number,
      waiter: waiter === 0 || at === undefined ? undefined : { at, id: waiter as number },
    };
  }
}

/** What a read is refused with where the index could not be read. */
export function asReadError(error: unknown): BigCacheError {
  const converted = toStoreError(error);
  return converted instanceof BigCacheError ? converted : new BigCacheError('STORE_FAILED');
}
