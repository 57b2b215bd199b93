/**
 * The worker's end of the channel, with what the primary may ask of it. Handlers are set once the
 * worker is built; what comes before finds a worker that has nothing to give.
 */
import type { Duplex } from 'node:stream';
import type { Access } from '../protocol/access.ts';
import { Channel, type IncomingRequest } from '../protocol/channel.ts';
import { type Counters, countersToList, newCounters } from '../protocol/counters.ts';
import { BigCacheError } from '../protocol/errors.ts';
import {
  figuresToList,
  newFigures,
  PROCESS_FIGURES,
  type ProcessFigures,
} from '../protocol/figures.ts';
import { Opcode, type OpcodeValue } from '../protocol/opcodes.ts';
import { Savings } from '../protocol/savings.ts';
import type { Tally } from '../protocol/statistics.ts';

/** What the primary asks of a worker. */
export interface WorkerDuties {
  /** Finish what was accepted, then leave. */
  drain(): void;
  dropSegment(segment: number): void;
  /** Write nothing more to the segment. */
  retireSegment(segment: number): void;
  /** Resolves when no segment of this worker is open. */
  sealAll(): Promise<void>;
  counters(): Counters;
  savings(): Savings;
  /** What else it counts, and what the process is like. */
  tally(): readonly [Tally, ProcessFigures];
  /** A lease was given to a request that waits here. */
  leaseGranted(key: string, waiter: number, token: string): void;
  /** The entry has come for which requests wait here; without a record, they wait for nothing more. */
  leaseSettled(key: string, record: Buffer | null): void;
  /** Who may do what from the next request on. */
  takeAccess(access: Access): void;
  /** Drop what is held of these buckets of keys, or all. */
  dropRecords(buckets: readonly number[] | undefined): void;
  /** The hashes of keys that were hit here, beside the primary; at most `max`. */
  takeHits(max: number): readonly number[];
  /** How many connections each worker would hold, if all had as many. */
  takeShare(connections: number): void;
  /** The channel has ended: the primary is gone. */
  primaryGone(): void;
}

/** Keys beyond it count as not read: a hint less, where so many are. */
const HITS_PER_REPORT_MAX = 16_384;

const NO_DUTIES: WorkerDuties = {
  drain: () => process.exit(0),
  dropSegment: () => undefined,
  retireSegment: () => undefined,
  sealAll: () => Promise.resolve(),
  counters: newCounters,
  savings: () => new Savings(),
  tally: () => [[], newFigures(PROCESS_FIGURES)],
  leaseGranted: () => undefined,
  leaseSettled: () => undefined,
  takeAccess: () => undefined,
  dropRecords: () => undefined,
  takeHits: () => [],
  takeShare: () => undefined,
  primaryGone: () => process.exit(1),
};

export class PrimaryLink {
  readonly channel: Channel;
  #duties: WorkerDuties = NO_DUTIES;
  #hitsReported = 0;
  /** What came while the worker was still being built. */
  #accessToTake: Access | undefined;

  constructor(stream: Duplex) {
    this.channel = new Channel(stream, {
      onRequest: (request) => this.#serve(request),
      onNotice: (opcode, fields) => this.#notice(opcode, fields),
      onClose: () => this.#duties.primaryGone(),
    });
  }

  take(duties: WorkerDuties): void {
    this.#duties = duties;
    if (this.#accessToTake === undefined) return;
    duties.takeAccess(this.#accessToTake);
    this.#accessToTake = undefined;
  }

  /** Tells the primary the counters since this worker's start, which is also its sign of life. */
  report(counters: Counters): void {
    this.channel.notify(Opcode.report, countersToList(counters));
    this.#reportMore();
  }

  /** It is on the channel before what follows, so no answer is needed. */
  #reportMore(): void {
    const [tally, figures] = this.#duties.tally();
    this.channel.notify(Opcode.reportTally, tally, figuresToList(PROCESS_FIGURES, figures));
    // Only where there is something new.
    const hits = this.#duties.takeHits(HITS_PER_REPORT_MAX);
    if (hits.length > 0) this.channel.notify(Opcode.reportHits, hits);
    const savings = this.#duties.savings();
    if (savings.total.hits === this.#hitsReported) return;
    this.#hitsReported = savings.total.hits;
    this.channel.notify(Opcode.reportSavings, savings.toList());
  }

  #serve(request: IncomingRequest): void {
    if (request.opcode === Opcode.dropRecords) {
      // Now, while the frame is being decoded: what comes after the answer must find nothing held.
      this.#duties.dropRecords((request.fields[0] as number[] | null) ?? undefined);
      request.reply(true);
    } else if (request.opcode === Opcode.access) {
      const access = request.fields[0] as Access;
      if (this.#duties === NO_DUTIES) this.#accessToTake = access;
      else this.#duties.takeAccess(access);
      request.reply(true);
    } else if (request.opcode === Opcode.collect) {
      this.#reportMore();
      request.reply(countersToList(this.#duties.counters()));
    } else if (request.opcode === Opcode.sealAll) {
      this.#duties.sealAll().then(
        () => request.reply(true),
        (error: unknown) => request.fail(error),
      );
    } else {
      request.fail(new BigCacheError('INTERNAL'));
    }
  }

  #notice(opcode: OpcodeValue, fields: readonly unknown[]): void {
    if (opcode === Opcode.drain) this.#duties.drain();
    else if (opcode === Opcode.dropSegment) this.#duties.dropSegment(fields[0] as number);
    else if (opcode === Opcode.retireSegment) this.#duties.retireSegment(fields[0] as number);
    else if (opcode === Opcode.evenShare) this.#duties.takeShare(fields[0] as number);
    else if (opcode === Opcode.leaseGranted) {
      this.#duties.leaseGranted(fields[0] as string, fields[1] as number, fields[2] as string);
    } else if (opcode === Opcode.leaseSettled) {
      this.#duties.leaseSettled(fields[0] as string, fields[1] as Buffer | null);
    }
  }
}
