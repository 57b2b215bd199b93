/** What this worker counts and measures of itself, gathered for the primary when that is told. */
import type { Server } from 'node:http';
import type { Channel } from '../../protocol/channel.ts';
import type { Counters } from '../../protocol/counters.ts';
import { EventLoopWatch } from '../../protocol/event-loop.ts';
import type { ProcessFigures } from '../../protocol/figures.ts';
import { memoryFigures } from '../../protocol/process-memory.ts';
import type { Tally } from '../../protocol/statistics.ts';
import type { RecordCache } from '../store/record-cache.ts';
import { Connections } from './connections.ts';
import { Traffic } from './traffic.ts';

/** What a worker that holds no records says of them. */
const NOTHING_HELD = { hits: 0, size: 0, bytes: 0, bodyBytes: 0 };

type Held = Pick<RecordCache, 'hits' | 'size' | 'bytes' | 'bodyBytes'>;

export class WorkerMeasures {
  readonly traffic = new Traffic();
  readonly #channel: Pick<Channel, 'counts' | 'pendingCount' | 'unsentBytes'>;
  readonly #counters: Readonly<Counters>;
  readonly #records: Held;
  readonly #connections = new Connections();
  readonly #loop = new EventLoopWatch();

  constructor(
    channel: Pick<Channel, 'counts' | 'pendingCount' | 'unsentBytes'>,
    counters: Readonly<Counters>,
    records: Held = NOTHING_HELD,
  ) {
    this.#records = records;
    this.#channel = channel;
    this.#counters = counters;
  }

  /** Counts the connections of a server from now on. */
  watch(server: Server): void {
    this.#connections.watch(server);
  }

  get connectionsOpen(): number {
    return this.#connections.open;
  }

  /** All that was counted since the start, and what the process is like now. */
  take(): [Tally, ProcessFigures] {
    const { requests, overloads, timeouts } = this.#channel.counts;
    const { user, system } = process.cpuUsage();
    Object.assign(this.traffic.counts, this.#connections.counts, {
      channelRequests: requests,
      channelOverloads: overloads,
      channelTimeouts: timeouts,
      heldHits: this.#records.hits,
      cpuUserUs: user,
      cpuSystemUs: system,
    });
    const figures = {
      ...memoryFigures(),
      ...this.#loop.figures,
      connectionsOpen: this.#connections.open,
      channelPending: this.#channel.pendingCount,
      channelUnsentBytes: this.#channel.unsentBytes,
      heldRecords: this.#records.size,
      heldRecordBytes: this.#records.bytes,
      heldBodyBytes: this.#records.bodyBytes,
    };
    return [this.traffic.tallyWith(this.#counters), figures];
  }
}
