/**
 * The primary's end of one worker's channel: frames in, one handler for each operation.
 */
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Access } from '../../protocol/access.ts';
import { Channel, type IncomingRequest } from '../../protocol/channel.ts';
import { type Counters, countersFromList, countersToList } from '../../protocol/counters.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import { type Explanation, explanationToWire } from '../../protocol/explanation.ts';
import { figuresFromList, PROCESS_FIGURES, type ProcessFigures } from '../../protocol/figures.ts';
import { ProtocolError } from '../../protocol/frame.ts';
import { Opcode, type OpcodeValue, opcodeName, PROTOCOL_VERSION } from '../../protocol/opcodes.ts';
import { orderOf, reportToList } from '../../protocol/purge.ts';
import { Savings } from '../../protocol/savings.ts';
import { type Statistics, statisticsToList, type Tally } from '../../protocol/statistics.ts';
import type { Welcome } from '../../protocol/welcome.ts';
import type { Waiting } from '../store/leases/lease-table.ts';
import { checkToken } from '../store/leases/leased-reads.ts';
import type { Storage } from '../store/storage.ts';
import { increment, listEntries } from './entry-requests.ts';
import { asReadError, type Holding, Lookups } from './lookups.ts';

/** What the session tells about its worker. */
export interface SessionEvents {
  onReady(): void;
  /** A sign of life, with the worker's counters since its start. */
  onReport(counters: Counters): void;
  /** What the worker's hits have saved since its start. */
  onSavings(savings: Savings): void;
  /** What else it has counted since its start, and what it is like now. */
  onTally(tally: Tally, figures: ProcessFigures): void;
  onClose(error: Error | undefined): void;
}

/** Whoever asks decides earlier. */
const DROP_RECORDS_MS = 60_000;

export interface SessionOptions {
  readonly stream: Duplex;
  readonly welcome: Welcome;
  /** Who keeps track of what the worker holds, and the worker to it; left out where it holds nothing. */
  readonly holding?: Holding;
  /** The store, once it is open; never rejects. */
  readonly opened: Promise<Storage>;
  readonly sumCounters: () => Promise<Counters>;
  readonly sumStatistics: () => Promise<Statistics>;
  readonly events: SessionEvents;
  readonly log: Logger;
}

type Handler = (session: WorkerSession, fields: readonly unknown[]) => unknown;

export class WorkerSession implements Waiting {
  readonly #options: SessionOptions;
  readonly #channel: Channel;
  #storage: Storage | undefined;
  readonly #lookups: Lookups;
  #isClosed = false;
  #awaitsStore = false;
  #welcome: Welcome;
  #isGreeted = false;
  /** What was logged last: a failed index answers every change with the same. */
  #toldCause: unknown;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#welcome = options.welcome;
    void options.opened.then((storage) => {
      this.#storage = storage;
    });
    this.#lookups = new Lookups({
      storage: () => this.storage,
      holding: options.holding,
      // A worker that has died while the index was read waits for nothing any more.
      waiting: () => (this.#isClosed ? undefined : this),
      log: options.log,
    });
    this.#channel = new Channel(options.stream, {
      onRequest: (request) => this.#serve(request),
      onNotice: (opcode, fields) => this.#notice(opcode, fields),
      onFrameEnd: () => this.#lookups.answer(),
      onClose: (error) => this.#closed(error),
    });
  }

  /** REQUIRES: the store is open, for which a worker waits before it asks for anything of it. */
  get storage(): Storage {
    if (this.#storage === undefined) throw new Error('INVARIANT: workers wait for the store');
    return this.#storage;
  }

  /** Whether the worker is built, and waits for nothing but the store. */
  get awaitsStore(): boolean {
    return this.#awaitsStore;
  }

  /** Whether the worker cannot be listening yet, nor hold anything. */
  get holdsNothing(): boolean {
    return !this.#isGreeted || this.#awaitsStore;
  }

  async awaitStore(): Promise<true> {
    this.#awaitsStore = true;
    await this.#options.opened;
    this.#awaitsStore = false;
    return true;
  }

  get writer(): number {
    return this.#options.welcome.writer;
  }

  get place(): number {
    return this.writer;
  }

  granted(key: string, waiter: number, token: string): void {
    this.#channel.notify(Opcode.leaseGranted, key, waiter, token);
  }

  settled(key: string, record: Buffer | undefined): void {
    this.#channel.notify(Opcode.leaseSettled, key, record ?? null);
  }

  /** Answers while the store is closed too. */
  async sumStatistics(): Promise<unknown> {
    return statisticsToList(await this.#options.sumStatistics());
  }

  welcome(version: unknown): Welcome {
    if (version !== PROTOCOL_VERSION) {
      // The files were replaced under a running server. Its other workers go on until it is restarted.
      this.#options.log.error(
        { version },
        'a worker of another build is refused; restart the server',
      );
      throw new BigCacheError('STORE_UNAVAILABLE');
    }
    this.#isGreeted = true;
    return this.#welcome;
  }

  /**
   * Tells the worker who may do what from now on; resolves when it goes by that. One that has not been
   * greeted yet will be greeted with it.
   */
  async takeAccess(access: Access, deadlineMs: number): Promise<void> {
    this.#welcome = { ...this.#welcome, access };
    if (this.#isGreeted) await this.#channel.requestWithin(deadlineMs, Opcode.access, access);
  }

  async sumCounters(): Promise<number[]> {
    return countersToList(await this.#options.sumCounters());
  }

  /** Grants a segment; a worker that died while it waited for room gets none that stays open. */
  async grantSegment(bytes: number): Promise<number> {
    const segment = await this.storage.grantSegment(this.writer, bytes);
    if (this.#isClosed) await this.storage.sealSegmentsOf(this.writer);
    return segment;
  }

  /** Rejects as a read does. */
  async explain(key: string): Promise<Explanation> {
    try {
      return await this.storage.entries.explain(key);
    } catch (error) {
      throw asReadError(error);
    }
  }

  /** Has the worker drop what it holds of these buckets, or all. Rejects when the channel ends. */
  async dropRecords(buckets: readonly number[] | undefined): Promise<void> {
    await this.#channel.requestWithin(DROP_RECORDS_MS, Opcode.dropRecords, buckets ?? null);
  }

  /** Asks the worker to finish what it accepted, and to leave. */
  drain(): void {
    this.#channel.notify(Opcode.drain);
  }

  dropSegment(segment: number): void {
    this.#channel.notify(Opcode.dropSegment, segment);
  }

  retireSegment(segment: number): void {
    this.#channel.notify(Opcode.retireSegment, segment);
  }

  /** Tells how many connections each worker would hold, if all had as many. */
  tellShare(connections: number): void {
    this.#channel.notify(Opcode.evenShare, connections);
  }

  /** Resolves when the worker has sealed everything that it had open. */
  async sealAll(deadlineMs: number): Promise<void> {
    await this.#channel.requestWithin(deadlineMs, Opcode.sealAll);
  }

  /** The worker's counters as they are now. */
  async collect(deadlineMs: number): Promise<Counters> {
    const values = await this.#channel.requestWithin(deadlineMs, Opcode.collect);
    return countersFromList(values);
  }

  /** Cuts the channel; the worker then ends itself. */
  destroy(error?: Error): void {
    this.#channel.destroy(error);
  }

  #serve(request: IncomingRequest): void {
    if (this.#storage === undefined && !BEFORE_THE_STORE.has(request.opcode)) {
      throw new ProtocolError(`${opcodeName(request.opcode)} before the store is open`);
    }
    if (this.#lookups.take(request)) return;
    const handler = HANDLERS[request.opcode];
    if (handler === undefined) {
      request.fail(new BigCacheError('INTERNAL'));
      return;
    }
    this.#answer(request, handler).catch((error: unknown) => {
      // Not an operating error: the process crashes, and its supervisor replaces it.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  async #answer(request: IncomingRequest, handler: Handler): Promise<void> {
    try {
      request.reply(await handler(this, request.fields));
    } catch (error) {
      if (!(error instanceof BigCacheError)) throw error;
      if (error.status >= 500 && error.cause !== undefined && error.cause !== this.#toldCause) {
        this.#toldCause = error.cause;
        const operation = opcodeName(request.opcode);
        this.#options.log.error({ err: error.cause, operation }, 'a change of the store failed');
      }
      request.fail(error);
    }
  }

  #leave([key, waiter]: readonly unknown[]): void {
    if (!this.#storage?.isOpen) return;
    this.#storage.entries.leases.leave(key as string, { at: this, id: waiter as number });
  }

  #notice(opcode: OpcodeValue, fields: readonly unknown[]): void {
    const { events } = this.#options;
    if (opcode === Opcode.leaveLease) this.#leave(fields);
    else if (opcode === Opcode.reportHits) this.#noteHits(fields[0] as number[]);
    else if (opcode === Opcode.reportSavings) events.onSavings(Savings.fromList(fields[0]));
    else if (opcode === Opcode.reportTally) {
      events.onTally(fields[0] as Tally, figuresFromList(PROCESS_FIGURES, fields[1]));
    } else if (opcode === Opcode.ready) events.onReady();
    else if (opcode === Opcode.report) events.onReport(countersFromList(fields[0]));
  }

  #noteHits(hashes: readonly number[]): void {
    if (this.#storage?.isOpen) this.#storage.entries.noteHits(hashes);
  }

  #closed(error: Error | undefined): void {
    this.#isClosed = true;
    const storage = this.#storage;
    if (storage?.isOpen) storage.entries.leases.leaveAll(this);
    // All that the worker sent before has been handed to the lane, so the seal comes after it.
    void storage?.sealSegmentsOf(this.writer);
    this.#options.events.onClose(error);
  }
}

/** What a worker may ask while the store is being opened; it is told when it may ask the rest. */
const BEFORE_THE_STORE: ReadonlySet<OpcodeValue> = new Set([Opcode.hello, Opcode.awaitStore]);

const HANDLERS: Partial<Record<OpcodeValue, Handler>> = {
  [Opcode.hello]: (session, [version]) => session.welcome(version),
  [Opcode.awaitStore]: (session) => session.awaitStore(),
  [Opcode.put]: async (session, [key, record, condition]) => {
    const { entries } = session.storage;
    const asked = (condition as number | null) ?? undefined;
    const done = await entries.commit(session.writer, key as string, record as Buffer, asked);
    return [done.version, done.created];
  },
  [Opcode.putLeased]: async (session, [key, record, condition, token]) => {
    const { entries } = session.storage;
    const asked = (condition as number | null) ?? undefined;
    const { version, created } = await entries.commit(
      session.writer,
      key as string,
      record as Buffer,
      asked,
      token as string,
    );
    return [version, created];
  },
  [Opcode.checkLease]: (session, [key, token]) => {
    checkToken(session.storage.entries, key as string, token as string);
    return true;
  },
  [Opcode.releaseLease]: (session, [key, token]) =>
    session.storage.entries.leases.release(key as string, token as string),
  [Opcode.sumStatistics]: (session) => session.sumStatistics(),
  [Opcode.delete]: (session, [key, condition]) =>
    session.storage.entries.delete(key as string, (condition as number | null) ?? undefined),
  [Opcode.dropDamaged]: async (session, [key, version]) => {
    const seen = [{ key: key as string, version: version as number }];
    return (await session.storage.entries.removeSeen(seen)) === 1;
  },
  [Opcode.deletePrefix]: (session, [prefix]) => session.storage.deletePrefix(prefix as string),
  [Opcode.clear]: (session) => session.storage.clear(),
  [Opcode.count]: (session) => session.storage.entries.count,
  [Opcode.close]: (session) => session.storage.closeForCopy(),
  [Opcode.open]: (session) => session.storage.open(),
  [Opcode.grantSegment]: (session, [bytes]) => session.grantSegment(bytes as number),
  [Opcode.sealSegment]: (session, [segment, fileBytes]) =>
    session.storage.sealSegment(session.writer, segment as number, fileBytes as number),
  [Opcode.extendSegment]: (session, [segment, bytes]) =>
    session.storage.extendSegment(session.writer, segment as number, bytes as number),
  [Opcode.sumCounters]: (session) => session.sumCounters(),
  [Opcode.checkWritable]: (session) => session.storage.checkWritable(),
  [Opcode.purge]: (session, [text, flags]) =>
    session.storage.purging.begin(orderOf(text as string, flags as number)),
  [Opcode.purgeReport]: (session, [version]) => {
    const report = session.storage.purging.report(version as number);
    return report === undefined ? null : reportToList(report);
  },
  [Opcode.explain]: async (session, [key]) =>
    explanationToWire(await session.explain(key as string)),
  [Opcode.touch]: (session, [key, ttlMs]) =>
    session.storage.entries.touch(key as string, ttlMs as number),
  [Opcode.increment]: (session, fields) => increment(session.storage, fields),
  [Opcode.listEntries]: (session, fields) => listEntries(session.storage.entries, fields),
};
